import { api, ask } from "../api/client";
import type { TurnView } from "../api/client";
import { Button } from "../parts/Controls";
import { sentence, texts } from "../texts";

/** Turns that could not be written, with the reasons, and what can be done. */
export function Failed({
  conversationId,
  turns,
  question,
  onError,
}: {
  conversationId: string;
  turns: TurnView[];
  question: (messageId: string) => string;
  onError: (error: unknown) => void;
}) {
  if (turns.length === 0) return null;
  const decide = async (messageId: string, what: "replay" | "dismiss") => {
    const params = { path: { conversationId, messageId } };
    const base = "/api/chat/background-doc/{conversationId}/turns/{messageId}";
    try {
      await ask(what === "replay" ? api.POST(`${base}/replay`, { params }) : api.POST(`${base}/dismiss`, { params }));
    } catch (error) {
      onError(error);
    }
  };
  const replayAll = async () => {
    try {
      await ask(api.POST("/api/chat/background-doc/{conversationId}/turns/replay", { params: { path: { conversationId } } }));
    } catch (error) {
      onError(error);
    }
  };
  return (
    <section className="failed" aria-label={texts.failedTurns(turns.length)}>
      <h2>{texts.failedTurns(turns.length)}</h2>
      <p className="hint">{texts.failedHint}</p>
      {turns.length > 1 && (
        <div className="row all">
          <Button onClick={() => void replayAll()}>{texts.replayAll}</Button>
        </div>
      )}
      <ul>
        {turns.map((turn) => (
          <li key={turn.messageId}>
            <p className="excerpt">{question(turn.messageId) || turn.messageId}</p>
            <p className="hint">{sentence(turn.reason ?? texts.noReason)}</p>
            <div className="row">
              <Button onClick={() => void decide(turn.messageId, "replay")}>{texts.replay}</Button>
              <Button look="quiet" onClick={() => void decide(turn.messageId, "dismiss")}>
                {texts.dismiss}
              </Button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
