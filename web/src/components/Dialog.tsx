import * as Radix from "@radix-ui/react-dialog";
import { useState, type ReactNode } from "react";

import { Button, IconButton } from "./Button";
import { ErrorNotice } from "./Notice";

interface DialogProps {
  title: string;
  description?: ReactNode;
  onClose: () => void;
  children: ReactNode;
  /** `side` is a drawer along the right edge. */
  shape?: "centre" | "wide" | "side";
}

const SHAPES = {
  centre: "left-1/2 top-[8vh] max-h-[84vh] w-[min(30rem,calc(100vw-1.5rem))] -translate-x-1/2 rounded-xl",
  wide: "left-1/2 top-[6vh] max-h-[88vh] w-[min(44rem,calc(100vw-1.5rem))] -translate-x-1/2 rounded-xl",
  side: "inset-y-0 right-0 w-[min(52rem,100vw)] border-y-0 border-r-0",
};

/** An open modal dialog; the caller mounts it to open and unmounts it to close. */
export function Dialog({ title, description, onClose, children, shape = "centre" }: DialogProps) {
  return (
    <Radix.Root
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/45" />
        <Radix.Content
          {...(description === undefined && { "aria-describedby": undefined })}
          onOpenAutoFocus={(event) => {
            // A panel is read first; a dialog's field or first button takes the focus at once.
            if (shape !== "side" || !(event.currentTarget instanceof HTMLElement)) return;
            event.preventDefault();
            event.currentTarget.focus();
          }}
          className={`bg-surface border-line fixed outline-none z-50 flex flex-col overflow-hidden border shadow-2xl ${SHAPES[shape]}`}
        >
          <header className="border-line flex items-start gap-3 border-b px-5 py-3.5">
            <div className="min-w-0 flex-1">
              <Radix.Title className="text-base font-semibold break-words">{title}</Radix.Title>
              {description !== undefined && (
                <Radix.Description asChild>
                  <div className="text-soft mt-0.5 text-sm">{description}</div>
                </Radix.Description>
              )}
            </div>
            <Radix.Close asChild>
              <IconButton icon="close" label="Close" />
            </Radix.Close>
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4">{children}</div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

export function DialogActions({ children }: { children: ReactNode }) {
  return <div className="mt-5 flex flex-wrap justify-end gap-2">{children}</div>;
}

/** Asks before an act that cannot be undone; `title` names the object. Stays open when the act fails. */
export function ConfirmDialog({
  title,
  children,
  action,
  keep = "Keep",
  onConfirm,
  onClose,
}: {
  title: string;
  children: ReactNode;
  action: string;
  keep?: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="text-soft space-y-2 text-sm">{children}</div>
      {error !== null && <ErrorNotice error={error} className="mt-3" />}
      <DialogActions>
        <Button onClick={onClose}>{keep}</Button>
        <Button variant="danger" busy={busy} onClick={() => void confirm()}>
          {action}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
