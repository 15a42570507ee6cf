import { useCallback, useEffect, useRef, useState } from "react";

import { Failure } from "../api/client";
import { texts } from "../texts";
import { ask } from "./answer";
import { type ChatMessage, load, onSaidElsewhere, store } from "./transcript";

export interface Chat {
  messages: ChatMessage[];
  /** The answer that is coming in; none while nobody answers. */
  answering: string | undefined;
  error: string | undefined;
  send(text: string): void;
  stop(): void;
  /** Has the last question answered once more. */
  again(): void;
  /** Says the last question in other words. */
  edit(text: string): void;
}

/** A conversation's end in this browser. `changed` hears when the scribe may have been switched by words. */
export function useChat(conversationId: string, changed: () => void): Chat {
  const [messages, setMessages] = useState(() => load(conversationId));
  const [answering, setAnswering] = useState<string>();
  const [error, setError] = useState<string>();
  const running = useRef<AbortController>(undefined);
  /** Keeps what has come of an answer, for whoever comes back to the conversation. */
  const leave = useRef<() => void>(undefined);
  const hearChanged = useRef(changed);
  hearChanged.current = changed;

  useEffect(() => {
    store(conversationId, messages);
  }, [conversationId, messages]);
  useEffect(
    () =>
      onSaidElsewhere(conversationId, () => {
        if (!running.current) setMessages(load(conversationId));
      }),
    [conversationId],
  );
  useEffect(
    () => () => {
      running.current?.abort();
      leave.current?.();
    },
    [],
  );

  const answer = useCallback(
    async (asked: ChatMessage[]) => {
      const controller = new AbortController();
      running.current = controller;
      setMessages(asked);
      setAnswering("");
      setError(undefined);
      let heard = "";
      let command: string | undefined;
      const answered = (broken?: ChatMessage["broken"]): ChatMessage[] =>
        heard === "" && !command ? asked : [...asked, { id: crypto.randomUUID(), role: "assistant", content: heard, broken, command }];
      const settle = (broken?: ChatMessage["broken"]) => {
        if (running.current !== controller) return;
        running.current = undefined;
        leave.current = undefined;
        setAnswering(undefined);
        setMessages(answered(broken));
      };
      leave.current = () => store(conversationId, answered("stopped"));
      try {
        // Half answers are shown, and are no part of what the chat is told.
        const told = asked.filter((message) => !message.broken);
        const hear = (piece: string) => {
          heard += piece;
          setAnswering(heard);
        };
        const obey = (done: string) => {
          command = done;
          hearChanged.current();
        };
        const whole = await ask(conversationId, told, controller.signal, hear, obey);
        settle(whole ? undefined : "broke");
        // A turn may start a scribe by itself, where the server is so set.
        hearChanged.current();
      } catch (failed) {
        settle(controller.signal.aborted ? "stopped" : heard ? "broke" : undefined);
        if (!controller.signal.aborted) {
          const isOffline = failed instanceof Failure && failed.isOffline;
          const message = failed instanceof Error ? failed.message : String(failed);
          setError(isOffline ? message : texts.errors.chat(message));
        }
      }
    },
    [conversationId],
  );

  const lastQuestion = messages.findLastIndex((message) => message.role === "user");
  return {
    messages,
    answering,
    error,
    send(text) {
      void answer([...messages, { id: crypto.randomUUID(), role: "user", content: text }]);
    },
    stop() {
      running.current?.abort();
    },
    again() {
      if (lastQuestion >= 0) void answer(messages.slice(0, lastQuestion + 1));
    },
    edit(text) {
      const question = messages[lastQuestion];
      if (question) void answer([...messages.slice(0, lastQuestion), { ...question, content: text }]);
    },
  };
}
