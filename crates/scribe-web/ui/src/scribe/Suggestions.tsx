import { type Dispatch, lazy, type SetStateAction, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";

import { api, ask, type MediaAsset, type Suggestion } from "../api/client";
import { Button, Modal } from "../parts/Controls";
import { texts } from "../texts";

const Compare = lazy(() => import("./Compare"));

export const keyOf = (suggestion: Suggestion) => `suggestion.${suggestion.id}`;

/** What was written and does not stand in the document: a person decides, beside the block that it is for. */
export function Suggestions({
  assetId,
  version,
  suggestions,
  setSuggestions,
  hosts,
  onNew,
  onDecided,
  onClosed,
  onError,
}: {
  assetId: string;
  /** Changes whenever the document has. */
  version: string;
  suggestions: Suggestion[];
  setSuggestions: Dispatch<SetStateAction<Suggestion[]>>;
  /** Where they stand in the text; below it are the others. */
  hosts: ReadonlyMap<string, HTMLElement>;
  /** There is one that was not there before. */
  onNew: () => void;
  onDecided: (asset: MediaAsset, etag: string) => void;
  /** The comparison is over. */
  onClosed: () => void;
  onError: (error: unknown) => void;
}) {
  const [compared, setCompared] = useState<Suggestion>();
  const [deciding, setDeciding] = useState<string>();

  const known = useRef<ReadonlySet<string>>(undefined);
  const hearNew = useRef(onNew);
  hearNew.current = onNew;
  const read = useCallback(async () => {
    const path = { id: assetId };
    const { data } = await ask(api.GET("/api/media-assets/{id}/suggestions", { params: { path } }));
    const before = known.current;
    known.current = new Set(data.suggestions.map(({ id }) => id));
    setSuggestions(data.suggestions);
    if (before && data.suggestions.some(({ id }) => !before.has(id))) hearNew.current();
  }, [assetId, setSuggestions]);
  useEffect(() => {
    // The next version tries again.
    read().catch(() => undefined);
  }, [read, version]);

  const decide = async (suggestion: Suggestion, accept: boolean) => {
    setDeciding(suggestion.id);
    const path = { id: assetId, suggestionId: suggestion.id };
    try {
      const { data, response } = await ask(
        accept
          ? api.POST("/api/media-assets/{id}/suggestions/{suggestionId}/accept", {
              params: { path },
              body: suggestion.current ? { hash: suggestion.current.hash } : {},
            })
          : api.POST("/api/media-assets/{id}/suggestions/{suggestionId}/dismiss", { params: { path } }),
      );
      setSuggestions((all) => all.filter((one) => one.id !== suggestion.id));
      setCompared(undefined);
      onDecided(data.asset, response.headers.get("etag") ?? "");
    } catch (error) {
      onError(error);
      read().catch(() => undefined);
    } finally {
      setDeciding(undefined);
    }
  };

  if (suggestions.length === 0) return null;
  const buttons = (suggestion: Suggestion) => {
    const dismiss = (
      <Button disabled={deciding !== undefined} onClick={() => void decide(suggestion, false)}>
        {texts.reject}
      </Button>
    );
    const both = (
      <>
        <Button look="strong" disabled={deciding !== undefined} onClick={() => void decide(suggestion, true)}>
          {texts.accept}
        </Button>
        {dismiss}
      </>
    );
    // What the text has moved on from would take away what came since: it is accepted only by who has compared.
    return { dismiss, both };
  };
  const close = () => {
    setCompared(undefined);
    onClosed();
  };
  const by = ({ person, turn, action }: Suggestion) => {
    const whose = turn ? texts.suggestionBy.scribe : texts.suggestionBy.unknown;
    return `${person ? texts.suggestionBy.person(person) : whose} ${texts.suggestionTo[action]}`;
  };
  const card = (suggestion: Suggestion) => (
    <div className="suggestion" role="group" aria-label={texts.suggestion}>
      <p className="hint">{by(suggestion)}</p>
      <p className="excerpt">{suggestion.markdown || suggestion.current?.markdown}</p>
      {suggestion.stale && (
        <p className="hint">{suggestion.current ? texts.suggestionStale : texts.suggestionHomeless}</p>
      )}
      <div className="row">
        <Button look="quiet" onClick={() => setCompared(suggestion)}>
          {texts.compare}
        </Button>
        {suggestion.stale ? buttons(suggestion).dismiss : buttons(suggestion).both}
      </div>
    </div>
  );
  return (
    <section className="suggestions" aria-label={texts.suggestions}>
      <h2>
        {texts.suggestions} ({suggestions.length})
      </h2>
      <ul>
        {suggestions.map((suggestion) => {
          const host = hosts.get(keyOf(suggestion));
          if (!host) return <li key={suggestion.id}>{card(suggestion)}</li>;
          const show = () => {
            host.scrollIntoView({ block: "nearest" });
            host.querySelector("button")?.focus({ preventScroll: true });
          };
          return (
            <li key={suggestion.id} className="row">
              <span className="hint excerpt-line">
                {by(suggestion)} {suggestion.markdown || suggestion.current?.markdown}
              </span>
              <Button look="quiet" onClick={show}>
                {texts.showInText}
              </Button>
              {createPortal(card(suggestion), host)}
            </li>
          );
        })}
      </ul>
      {compared && (
        <Modal wide open title={texts.compareTitle} onClose={close}>
          <Suspense>
            <Compare before={compared.current?.markdown ?? ""} after={compared.markdown} />
          </Suspense>
          <div className="row end">{buttons(compared).both}</div>
        </Modal>
      )}
    </section>
  );
}
