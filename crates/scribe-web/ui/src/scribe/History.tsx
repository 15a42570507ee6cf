import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";

import { api, ask, type MediaAsset, type VersionView } from "../api/client";
import { Button, Note } from "../parts/Controls";
import { clock, texts } from "../texts";

const Compare = lazy(() => import("./Compare"));

function author(version: VersionView): string {
  const by = version.author;
  if (!by) return texts.versionBy.unknown;
  if (by.type === "person") return texts.versionBy.person(by.user);
  return texts.versionBy.scribe;
}

/** Who wrote what and when, and a way back. */
export function History({
  assetId,
  version: present,
  onRestored,
}: {
  assetId: string;
  /** Changes whenever the document has. */
  version: string;
  onRestored: (asset: MediaAsset, etag: string) => void;
}) {
  const [versions, setVersions] = useState<VersionView[]>([]);
  const [next, setNext] = useState<string | null>();
  const [chosen, setChosen] = useState<string>();
  const wanted = useRef<string>(undefined);
  const [compared, setCompared] = useState<{ before: string; after: string }>();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);

  const failed = useCallback((error: unknown) => setError(error instanceof Error ? error.message : String(error)), []);
  const page = useCallback(
    async (cursor?: string) => {
      const params = { path: { id: assetId }, query: { limit: 50, ...(cursor ? { cursor } : {}) } };
      const { data } = await ask(api.GET("/api/media-assets/{id}/versions", { params }));
      return data;
    },
    [assetId],
  );
  useEffect(() => {
    let left = false;
    page()
      .then((data) => {
        if (left) return;
        setVersions(data.versions);
        setNext(data.next);
        setError(undefined);
      })
      .catch(failed);
    return () => {
      left = true;
    };
  }, [page, present, failed]);

  const content = useCallback(
    async (versionId: string) => {
      const path = { id: assetId, versionId };
      const { data } = await ask(api.GET("/api/media-assets/{id}/versions/{versionId}", { params: { path } }));
      return data.asset.content;
    },
    [assetId],
  );
  const choose = async (version: VersionView) => {
    setChosen(version.versionId);
    wanted.current = version.versionId;
    setCompared(undefined);
    setError(undefined);
    const at = versions.findIndex((one) => one.versionId === version.versionId);
    const older = versions.slice(at + 1).find((one) => !one.deleted);
    try {
      const [after, before] = await Promise.all([
        content(version.versionId),
        older ? content(older.versionId) : Promise.resolve(""),
      ]);
      // Another one may have been chosen since.
      if (wanted.current === version.versionId) setCompared({ before, after });
    } catch (error) {
      failed(error);
    }
  };
  const restore = async (version: VersionView) => {
    setBusy(true);
    try {
      const { data, response } = await ask(
        api.POST("/api/media-assets/{id}/restore", {
          params: { path: { id: assetId } },
          body: { versionId: version.versionId },
        }),
      );
      onRestored(data.asset, response.headers.get("etag") ?? "");
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  };

  const selected = versions.find((version) => version.versionId === chosen);
  return (
    <div className="history">
      <nav className="versions" aria-label={texts.versions}>
        <ol>
          {versions.map((version) => (
            <li key={version.versionId}>
              <button
                type="button"
                className="version"
                aria-current={version.versionId === chosen}
                disabled={version.deleted}
                onClick={() => void choose(version)}
              >
                <span className="when">{clock(version.written)}</span>
                <span className="who">
                  {version.deleted ? texts.versionDeleted : author(version)}
                  {version.latest && ` · ${texts.latest}`}
                </span>
              </button>
            </li>
          ))}
        </ol>
        {next && (
          <Button
            onClick={() => {
              page(next)
                .then((data) => {
                  setVersions((all) => [...all, ...data.versions]);
                  setNext(data.next);
                })
                .catch(failed);
            }}
          >
            {texts.olderVersions}
          </Button>
        )}
      </nav>
      <div className="changes">
        {error && <Note kind="error">{error}</Note>}
        {!selected && <p className="hint">{texts.chooseVersion}</p>}
        {selected && compared && (
          <>
            <header className="row">
              <h2>{texts.changesOf(clock(selected.written))}</h2>
              {!selected.latest && (
                <Button look="strong" disabled={busy} onClick={() => void restore(selected)}>
                  {busy ? texts.restoring : texts.restore}
                </Button>
              )}
            </header>
            {compared.before === compared.after ? (
              <p className="hint">{texts.noChanges}</p>
            ) : (
              <Suspense>
                <Compare before={compared.before} after={compared.after} />
              </Suspense>
            )}
          </>
        )}
      </div>
    </div>
  );
}
