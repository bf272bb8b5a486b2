import { memo } from "react";

import type { AnsiSpan, AnsiStyle } from "@/format/ansi";

/** Spans of terminal text, as text. */
export const AnsiText = memo(function AnsiText({ spans }: { spans: readonly AnsiSpan[] }) {
  return spans.map((span, index) => (
    <span key={index} className={classesOf(span.style)} style={colours(span.style)}>
      {span.text}
    </span>
  ));
});

function classesOf(style: AnsiStyle): string | undefined {
  const classes = [
    style.bold && "font-bold",
    style.dim && "opacity-75",
    style.italic && "italic",
    style.underline && "underline",
  ].filter((name) => name !== false);
  return classes.length === 0 ? undefined : classes.join(" ");
}

function colours({ foreground, background, inverse }: AnsiStyle) {
  const front = foreground === null ? undefined : `var(--ansi-${foreground})`;
  // A background takes a tint of its colour, so that every foreground stays readable on it.
  const back =
    background === null ? undefined : `color-mix(in srgb, var(--ansi-${background}) 18%, transparent)`;
  if (inverse) return { color: "var(--surface)", backgroundColor: front ?? "var(--ink)" };
  return front === undefined && back === undefined ? undefined : { color: front, backgroundColor: back };
}
