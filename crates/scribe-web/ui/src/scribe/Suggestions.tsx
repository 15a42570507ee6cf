import { lazy, Suspense, useCallback, useEffect, useState } from "react";

import { api, ask, type MediaAsset, type Suggestion } from "../api/client";
import { Button, Modal } from "../parts/Controls";
import { texts } from "../texts";

const Compare = lazy(() => import("./Compare"));

/** What was written and does not stand in the document: a person decides. */
export function Suggestions({
  assetId,
  version,
  onDecided,
  onError,
}: {
  assetId: string;
  /** Changes whenever the document has. */
  version: string;
  onDecided: (asset: MediaAsset, etag: string) => void;
  onError: (error: unknown) => void;
}) {
  const [suggestions, setSuggestions] = useState<Suggestion[]>([]);
  const [compared, setCompared] = useState<Suggestion>();
  const [deciding, setDeciding] = useState<string>();

  const read = useCallback(async () => {
    const path = { id: assetId };
    const { data } = await ask(api.GET("/api/media-assets/{id}/suggestions", { params: { path } }));
    setSuggestions(data.suggestions);
  }, [assetId]);
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
  return (
    <section className="suggestions" aria-label={texts.suggestions}>
      <h2>
        {texts.suggestions} ({suggestions.length})
      </h2>
      <ul>
        {suggestions.map((suggestion) => (
          <li key={suggestion.id} className="suggestion">
            <p className="hint">
              {suggestion.person ? texts.suggestionBy.person(suggestion.person) : texts.suggestionBy.scribe}{" "}
              {texts.suggestionTo[suggestion.action]}
            </p>
            <p className="excerpt">{suggestion.markdown || suggestion.current?.markdown}</p>
            {suggestion.stale && <p className="hint">{texts.suggestionStale}</p>}
            <div className="row">
              <Button look="quiet" onClick={() => setCompared(suggestion)}>
                {texts.compare}
              </Button>
              {suggestion.stale ? buttons(suggestion).dismiss : buttons(suggestion).both}
            </div>
          </li>
        ))}
      </ul>
      {compared && (
        <Modal wide open title={texts.compareTitle} onClose={() => setCompared(undefined)}>
          <Suspense>
            <Compare before={compared.current?.markdown ?? ""} after={compared.markdown} />
          </Suspense>
          <div className="row end">{buttons(compared).both}</div>
        </Modal>
      )}
    </section>
  );
}
