import { Dialog } from "radix-ui";
import { type ComponentPropsWithRef, type ReactNode, useRef } from "react";

import { texts } from "../texts";

type Look = "plain" | "strong" | "quiet" | "danger";

export function Button({ look = "plain", className = "", ...rest }: { look?: Look } & ComponentPropsWithRef<"button">) {
  return <button type="button" className={`button ${look} ${className}`} {...rest} />;
}

/** A message that screen readers say and that stands where it concerns something. */
export function Note({ kind, children }: { kind: "info" | "error"; children: ReactNode }) {
  return (
    <p className={`note ${kind}`} role={kind === "error" ? "alert" : "status"}>
      {children}
    </p>
  );
}

export function Modal({
  title,
  hint,
  open,
  onClose,
  wide = false,
  children,
}: {
  title: string;
  hint?: string | undefined;
  open: boolean;
  onClose: () => void;
  wide?: boolean;
  children: ReactNode;
}) {
  const content = useRef<HTMLDivElement>(null);
  const opener = useRef<Element>(null);
  const focusFirst = (event: Event) => {
    opener.current = document.activeElement;
    const first = content.current?.querySelector<HTMLElement>("[data-first]");
    if (!first) return;
    event.preventDefault();
    first.focus();
  };
  // What opened it may be gone by now: then to the dialog that is still open, if there is one.
  const giveBack = (event: Event) => {
    event.preventDefault();
    const isThere = opener.current?.isConnected && opener.current !== document.body;
    const next = isThere ? opener.current : document.querySelector(".modal [data-first]");
    if (next instanceof HTMLElement) next.focus();
  };
  return (
    <Dialog.Root open={open} onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content
          ref={content}
          className={`modal ${wide ? "wide" : ""}`}
          onOpenAutoFocus={focusFirst}
          onCloseAutoFocus={giveBack}
          {...(hint ? {} : { "aria-describedby": undefined })}
        >
          <header className="modal-head">
            <Dialog.Title className="modal-title">{title}</Dialog.Title>
            <Dialog.Close asChild>
              <Button look="quiet">{texts.close}</Button>
            </Dialog.Close>
          </header>
          {hint && <Dialog.Description className="hint">{hint}</Dialog.Description>}
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
