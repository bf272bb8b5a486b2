import { CopyButton } from "@/components/Copy";
import { parseAnsiLine } from "@/format/ansi";
import { AnsiText } from "./AnsiText";
import { linesOfDiff } from "./diffLines";
import type { TaskResult } from "./hostTasks";

/** What people look for in a result, in this order; everything else is in the raw result. */
const TEXTS = [
  ["censored", "Hidden"],
  ["msg", "Message"],
  ["skip_reason", "Skipped because"],
  ["stdout", "Standard output"],
  ["stderr", "Standard error"],
  ["module_stdout", "Module output"],
  ["module_stderr", "Module error output"],
  ["exception", "Exception"],
] as const;

export function ResultView({ result, diffs }: { result: TaskResult; diffs: readonly unknown[] }) {
  const texts = TEXTS.map(([field, title]) => [title, textOf(result[field])] as const).filter(
    ([, text]) => text !== "",
  );
  const raw = JSON.stringify(result, null, 2);
  return (
    <div className="space-y-3">
      {typeof result.rc === "number" && (
        <p className="text-sm">
          <span className="text-faint">Exit code</span> {result.rc}
        </p>
      )}
      {texts.map(([title, text]) => (
        <div key={title}>
          <div className="flex items-center justify-between">
            <p className="text-faint text-xs">{title}</p>
            <CopyButton text={text} what={title.toLowerCase()} />
          </div>
          <OutputText text={text} />
        </div>
      ))}
      {diffs.map((diff, index) => (
        <Diff key={index} diff={diff} />
      ))}
      {raw !== "{}" && (
        <details>
          <summary className="text-soft hover:text-ink cursor-pointer text-xs">Raw result</summary>
          <pre className="bg-sunken mt-1 max-h-96 overflow-auto rounded-md p-2.5 text-xs break-words whitespace-pre-wrap">
            {raw}
          </pre>
        </details>
      )}
    </div>
  );
}

function OutputText({ text }: { text: string }) {
  const lines: ReturnType<typeof parseAnsiLine>["spans"][] = [];
  let style: ReturnType<typeof parseAnsiLine>["style"] | undefined;
  for (const line of text.split("\n")) {
    const parsed = parseAnsiLine(line, style);
    style = parsed.style;
    lines.push(parsed.spans);
  }
  return (
    <pre className="bg-sunken max-h-96 overflow-auto rounded-md px-2.5 py-1.5 text-xs break-words whitespace-pre-wrap">
      {lines.map((spans, index) => (
        <span key={index}>
          <AnsiText spans={spans} />
          {index < lines.length - 1 && "\n"}
        </span>
      ))}
    </pre>
  );
}

const DIFF_LOOKS = {
  "+": "bg-success/10 text-success",
  "-": "bg-failed/10 text-failed",
  "@": "text-faint",
  " ": "text-soft",
};

function Diff({ diff }: { diff: unknown }) {
  const lines = linesOfDiff(diff);
  if (lines.length === 0) return null;
  return (
    <div>
      <p className="text-faint mb-1 text-xs">Diff</p>
      <pre className="bg-sunken max-h-96 overflow-auto rounded-md py-1.5 text-xs">
        {lines.map((line, index) => (
          <span key={index} className={`block px-2.5 ${DIFF_LOOKS[line.sign]}`}>
            {line.sign === "@" ? line.text : `${line.sign} ${line.text}`}
          </span>
        ))}
      </pre>
    </div>
  );
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value.trimEnd();
  return JSON.stringify(value, null, 2);
}
