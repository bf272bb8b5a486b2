import { useEffect, useRef, useState } from "react";

import { Icon } from "./Icon";
import { isTyping } from "./isTyping";

const PAUSE_MS = 250;

/** A search field that reports after a short pause in typing; `/` focuses it. */
export function SearchBox({
  label,
  value,
  onChange,
  className = "",
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  className?: string;
}) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // A value from outside (a link, a cleared filter) wins over what was typed.
  if (value !== seen) {
    setSeen(value);
    setText(value);
  }
  useEffect(
    () => () => {
      clearTimeout(timer.current);
    },
    [],
  );
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || isTyping(event)) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", focus);
    return () => {
      document.removeEventListener("keydown", focus);
    };
  }, []);
  const report = (next: string) => {
    setSeen(next);
    onChange(next);
  };
  return (
    <div className={`relative ${className}`}>
      <span className="text-faint pointer-events-none absolute inset-y-0 left-2.5 flex items-center">
        <Icon name="search" />
      </span>
      <input
        ref={input}
        type="search"
        aria-label={label}
        placeholder={label}
        value={text}
        onChange={(event) => {
          const next = event.target.value;
          setText(next);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => {
            report(next);
          }, PAUSE_MS);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          clearTimeout(timer.current);
          report(text);
        }}
        className="control pl-8"
      />
    </div>
  );
}
