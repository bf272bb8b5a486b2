import { useEffect, useState } from "react";

import { Button } from "./Button";

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [state, setState] = useState<"idle" | "copied" | "refused">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => {
      setState("idle");
    }, 2_000);
    return () => {
      clearTimeout(timer);
    };
  }, [state]);
  return (
    <Button
      small
      variant="quiet"
      icon={state === "copied" ? "check" : "copy"}
      aria-label={`Copy ${what}`}
      onClick={() => {
        // Browsers give no clipboard to pages that came over plain http from another machine.
        copyText(text).then(
          () => {
            setState("copied");
          },
          () => {
            setState("refused");
          },
        );
      }}
    >
      <span aria-live="polite">
        {state === "copied" ? "Copied" : state === "refused" ? "Select and copy" : "Copy"}
      </span>
    </Button>
  );
}

async function copyText(text: string): Promise<void> {
  if (!window.isSecureContext) throw new Error("the clipboard needs https");
  await navigator.clipboard.writeText(text);
}

/** A value shown in full, to be selected or copied. */
export function CopyBox({ text, what }: { text: string; what: string }) {
  return (
    <div className="border-line bg-sunken flex items-start gap-2 rounded-md border py-1.5 pr-1.5 pl-3">
      <code className="min-w-0 flex-1 py-1 text-xs break-all select-all">{text}</code>
      <CopyButton text={text} what={what} />
    </div>
  );
}
