import { Dialog } from "radix-ui";
import type { ComponentPropsWithRef, ReactNode } from "react";

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
  return (
    <Dialog.Root open={open} onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className={`modal ${wide ? "wide" : ""}`} {...(hint ? {} : { "aria-describedby": undefined })}>
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
