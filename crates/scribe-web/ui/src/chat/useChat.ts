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
export function useChat(conversationId: string, changed: (command: string | undefined) => void): Chat {
  const [messages, setMessages] = useState(() => load(conversationId));
  const [answering, setAnswering] = useState<string>();
  const [error, setError] = useState<string>();
  const running = useRef<AbortController>(undefined);
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
  useEffect(() => () => running.current?.abort(), []);

  const answer = useCallback(
    async (asked: ChatMessage[]) => {
      const controller = new AbortController();
      running.current = controller;
      setMessages(asked);
      setAnswering("");
      setError(undefined);
      let heard = "";
      const settle = (broken?: ChatMessage["broken"], command?: string) => {
        if (running.current !== controller) return;
        running.current = undefined;
        setAnswering(undefined);
        if (heard !== "" || command) {
          setMessages([...asked, { id: crypto.randomUUID(), role: "assistant", content: heard, broken, command }]);
        }
      };
      try {
        // Half answers are shown, and are no part of what the chat is told.
        const told = asked.filter((message) => !message.broken);
        const { whole, command } = await ask(conversationId, told, controller.signal, (piece) => {
          heard += piece;
          setAnswering(heard);
        });
        settle(whole ? undefined : "broke", command);
        hearChanged.current(command);
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
