// The API's routes, with the types that its OpenAPI document gives them.

import createClient, { type Middleware } from "openapi-fetch";

import { tab } from "../parts/storage";
import { sentence, texts } from "../texts";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type BlockView = Schemas["BlockView"];
export type MediaAsset = Schemas["MediaAsset"];
export type MergeView = Schemas["MergeView"];
export type Session = Schemas["Session"];
export type Status = Schemas["Status"];
export type StyleChoice = Schemas["StyleChoice"];
export type Suggestion = Schemas["SuggestionAnswer"];
export type TurnView = Schemas["TurnView"];
export type VersionView = Schemas["VersionView"];
export type ListedDocument = Schemas["ListedView"];
export type SummaryView = Schemas["SummaryView"];

const TOKEN = "scribe.token";

/** The token that this tab was given, if any. */
export function token(): string | null {
  return tab.get(TOKEN);
}

const unauthorized = new Set<() => void>();

/** Calls back when the server wants a token that it does not have. */
export function onUnauthorized(callback: () => void): () => void {
  unauthorized.add(callback);
  return () => unauthorized.delete(callback);
}

export function useToken(value: string): void {
  tab.set(TOKEN, value.trim());
}

/** Headers that say who asks. */
export function credentials(): Record<string, string> {
  const value = token();
  return value ? { authorization: `Bearer ${value}` } : {};
}

const authorize: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(credentials())) request.headers.set(name, value);
    return request;
  },
  onResponse({ response }) {
    noticeRefusal(response);
  },
};

export function noticeRefusal(response: Response): void {
  if (response.status === 401) for (const callback of unauthorized) callback();
}

export const api = createClient<paths>({ baseUrl: "/" });
api.use(authorize);

/** What a request failed of, in a sentence for the person. */
export class Failure extends Error {
  /** The response's status; 0 where none came. */
  readonly status: number;
  readonly code: string;

  constructor(message: string, status: number, code: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  get isOffline(): boolean {
    return this.status === 0;
  }
}

export function failure(error: unknown, status: number): Failure {
  const body = error as { error?: { code?: string; message?: string } } | undefined;
  const code = body?.error?.code ?? "";
  if (status === 429) return new Failure(texts.errors.tooMany, status, code);
  const message = body?.error?.message;
  // What stands between, such as a proxy, answers in words of its own.
  const known = texts.errors.ofStatus[status] ?? (status < 500 ? texts.errors.refused(status) : texts.errors.server);
  return new Failure(message ? sentence(message) : known, status, code);
}

export const offline = () => new Failure(texts.errors.offline, 0, "offline");

/** The data of an answer; a failure otherwise. */
export async function ask<T>(
  asked: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<{ data: T; response: Response }> {
  let answer;
  try {
    answer = await asked;
  } catch {
    throw offline();
  }
  if (!answer.response.ok) throw failure(answer.error, answer.response.status);
  return { data: answer.data as T, response: answer.response };
}
