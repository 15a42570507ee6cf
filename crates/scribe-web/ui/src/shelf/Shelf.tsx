import { useCallback, useEffect, useRef, useState } from "react";

import { api, ask, type ListedDocument, type SummaryView } from "../api/client";
import { forget, known } from "../chat/transcript";
import { Button, Modal, Note } from "../parts/Controls";
import { ago, texts } from "../texts";

const isReadable = (listed: ListedDocument): listed is SummaryView => "title" in listed;

/** All documents, to be opened, continued or deleted. */
export function Shelf({
  open,
  onClose,
  onOpen,
}: {
  open: boolean;
  onClose: () => void;
  onOpen: (conversationId: string) => void;
}) {
  const [documents, setDocuments] = useState<ListedDocument[]>();
  const [next, setNext] = useState<string | null>();
  const [words, setWords] = useState("");
  const [doomed, setDoomed] = useState<SummaryView>();
  const [error, setError] = useState<string>();
  const [own, setOwn] = useState(known);
  const filter = useRef<HTMLInputElement>(null);

  const failed = useCallback((error: unknown) => setError(error instanceof Error ? error.message : String(error)), []);
  const read = useCallback(
    async (cursor?: string) => {
      setError(undefined);
      try {
        const query = { limit: 50, ...(cursor ? { cursor } : {}) };
        const { data } = await ask(api.GET("/api/media-assets", { params: { query } }));
        setDocuments((known) => (cursor ? [...(known ?? []), ...data.assets] : data.assets));
        setNext(data.next);
      } catch (error) {
        failed(error);
      }
    },
    [failed],
  );
  useEffect(() => {
    if (!open) return;
    setOwn(known());
    void read();
  }, [open, read]);

  const goOn = async (document: SummaryView) => {
    const conversationId = crypto.randomUUID();
    try {
      const params = { path: { id: document.id } };
      await ask(api.POST("/api/media-assets/{id}/conversations", { params, body: { conversationId } }));
      onOpen(conversationId);
    } catch (error) {
      failed(error);
    }
  };
  const remove = async (document: SummaryView) => {
    setDoomed(undefined);
    try {
      await ask(api.DELETE("/api/media-assets/{id}", { params: { path: { id: document.id } } }));
      await read();
      // Its row had the focus.
      filter.current?.focus();
    } catch (error) {
      failed(error);
    }
  };

  const sought = words.trim().toLowerCase();
  const shown = documents?.filter((one) => sought === "" || (isReadable(one) && one.title.toLowerCase().includes(sought)));
  const written = new Set(documents?.map((one) => (isReadable(one) ? one.conversation_id : undefined)));
  const talked = own.filter(
    ({ id, begins }) => documents && !written.has(id) && (sought === "" || begins.toLowerCase().includes(sought)),
  );
  const now = Date.now();
  return (
    <Modal title={texts.shelfTitle} open={open} onClose={onClose} wide>
      <label className="field">
        {texts.filter}
        <input ref={filter} data-first="" type="search" value={words} onChange={(event) => setWords(event.target.value)} />
      </label>
      {error && <Note kind="error">{error}</Note>}
      {documents?.length === 0 && <p className="hint">{texts.shelfEmpty}</p>}
      {documents && documents.length > 0 && shown?.length === 0 && <p className="hint">{texts.noMatch}</p>}
      <ul className="shelf">
        {shown?.map((document) =>
          isReadable(document) ? (
            <li key={document.id}>
              <div className="book">
                <p className="book-title">{document.title}</p>
                <p className="hint">{ago(document.updated_at, now)}</p>
              </div>
              <div className="row">
                {document.conversation_id && (
                  <Button look="strong" aria-label={texts.named(texts.open, document.title)} onClick={() => onOpen(document.conversation_id!)}>
                    {texts.open}
                  </Button>
                )}
                <Button aria-label={texts.named(texts.continueConversation, document.title)} onClick={() => void goOn(document)}>
                  {texts.continueConversation}
                </Button>
                <Button look="danger" aria-label={texts.named(texts.delete, document.title)} onClick={() => setDoomed(document)}>
                  {texts.delete}
                </Button>
              </div>
            </li>
          ) : (
            <li key={document.id}>
              <p className="hint">{texts.unreadable(document.id)}</p>
            </li>
          ),
        )}
      </ul>
      {talked.length > 0 && (
        <section aria-label={texts.ownConversations}>
          <h2>{texts.ownConversations}</h2>
          <ul className="shelf">
            {talked.map(({ id, begins }) => (
              <li key={id}>
                <p className="book book-title">{begins}</p>
                <div className="row">
                  <Button look="strong" aria-label={texts.named(texts.open, begins)} onClick={() => onOpen(id)}>
                    {texts.open}
                  </Button>
                  <Button
                    aria-label={texts.named(texts.forget, begins)}
                    onClick={() => {
                      forget(id);
                      setOwn(known());
                    }}
                  >
                    {texts.forget}
                  </Button>
                </div>
              </li>
            ))}
          </ul>
        </section>
      )}
      {next && <Button onClick={() => void read(next)}>{texts.moreDocuments}</Button>}
      {doomed && (
        <Modal open title={texts.deleteTitle(doomed.title)} hint={texts.deleteHint} onClose={() => setDoomed(undefined)}>
          <div className="row end">
            <Button data-first="" onClick={() => setDoomed(undefined)}>
              {texts.cancel}
            </Button>
            <Button look="danger" onClick={() => void remove(doomed)}>
              {texts.delete}
            </Button>
          </div>
        </Modal>
      )}
    </Modal>
  );
}
