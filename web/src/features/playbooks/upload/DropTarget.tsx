import { useEffect, useRef, useState } from "react";

import { Icon } from "@/components/Icon";
import { Notice } from "@/components/Notice";
import { IconButton } from "@/components/Button";
import { droppedFile } from "./droppedFile";

/** Takes a file that is dropped anywhere on the page. */
export function DropTarget({ onFile }: { onFile: (file: File) => void }) {
  const [over, setOver] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const take = useRef(onFile);
  useEffect(() => {
    take.current = onFile;
  });
  useEffect(() => {
    // Entering a child is told before leaving its parent.
    let depth = 0;
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const enter = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      depth -= 1;
      if (depth <= 0) setOver(false);
    };
    const allow = (event: DragEvent) => {
      if (holdsFiles(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!holdsFiles(event) || event.dataTransfer === null) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      const result = droppedFile(event.dataTransfer);
      if (typeof result === "string") setRefusal(result);
      else {
        setRefusal(null);
        take.current(result);
      }
    };
    const listeners = [
      ["dragenter", enter],
      ["dragleave", leave],
      ["dragover", allow],
      ["drop", drop],
    ] as const;
    for (const [name, listener] of listeners) window.addEventListener(name, listener);
    return () => {
      for (const [name, listener] of listeners) window.removeEventListener(name, listener);
    };
  }, []);
  return (
    <>
      {refusal !== null && (
        <Notice
          tone="error"
          title="Not uploaded"
          className="mt-3"
          action={
            <IconButton
              icon="close"
              label="Dismiss"
              onClick={() => {
                setRefusal(null);
              }}
            />
          }
        >
          {refusal}
        </Notice>
      )}
      {over && (
        <div className="bg-canvas/80 pointer-events-none fixed inset-0 z-50 flex items-center justify-center p-6">
          <p className="border-accent bg-surface text-ink flex items-center gap-3 rounded-xl border-2 border-dashed px-8 py-6 text-base font-semibold">
            <Icon name="upload" className="text-accent size-6" />
            Drop a .yml, .zip or .tar.gz to upload it
          </p>
        </div>
      )}
    </>
  );
}
