import { useState, type ReactNode } from "react";

import { Button } from "@/components/Button";
import { Field } from "@/components/Field";
import { Icon } from "@/components/Icon";
import { formatBytes } from "@/format/numbers";
import { MAX_FILE_BYTES } from "./formAnswers";
import type { ChosenFile } from "./launchForm";

/** A field whose answer is a file of the person who launches. */
export function FileAnswer({
  label,
  hint,
  error,
  optional,
  file,
  onFile,
}: {
  label: string;
  hint: ReactNode;
  error: string | undefined;
  optional: boolean;
  file: ChosenFile | undefined;
  onFile: (file: ChosenFile | undefined) => void;
}) {
  const [failure, setFailure] = useState<string | null>(null);
  const take = async (chosen: File | undefined) => {
    setFailure(null);
    if (chosen === undefined) return;
    if (chosen.size > MAX_FILE_BYTES) {
      setFailure(
        `${chosen.name} has ${formatBytes(chosen.size)}; at most ${formatBytes(MAX_FILE_BYTES)} are taken.`,
      );
      return;
    }
    try {
      const bytes = new Uint8Array(await chosen.arrayBuffer());
      onFile({ name: chosen.name, size: chosen.size, content_base64: toBase64(bytes) });
    } catch {
      setFailure(`${chosen.name} could not be read.`);
    }
  };
  return (
    <Field
      label={label}
      optional={optional}
      error={failure ?? error}
      hint={<>{hint} The variable is its path while the run goes on.</>}
    >
      {(ids) => (
        <>
          {file !== undefined && (
            <p className="mb-1 flex items-center gap-2 text-sm">
              <Icon name="file" className="text-faint size-4" />
              <span className="min-w-0 font-mono text-xs break-all">{file.name}</span>
              <span className="text-faint text-xs">{formatBytes(file.size)}</span>
              <Button
                small
                variant="quiet"
                onClick={() => {
                  onFile(undefined);
                }}
              >
                Remove<span className="sr-only"> {file.name}</span>
              </Button>
            </p>
          )}
          <input
            {...ids}
            type="file"
            className="control file:bg-sunken file:text-ink file:mr-3 file:rounded file:border-0 file:px-2 file:py-0.5"
            onChange={(event) => {
              const { files } = event.target;
              void take(files?.[0]);
            }}
          />
        </>
      )}
    </Field>
  );
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
