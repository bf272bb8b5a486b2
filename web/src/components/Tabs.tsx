import type { KeyboardEvent, ReactNode } from "react";

export interface TabOf<K extends string> {
  key: K;
  name: string;
  /** A number or mark beside the name. */
  mark?: ReactNode;
}

/** Tabs and the panel of the chosen one; the arrow keys go from one to the next. */
export function Tabs<K extends string>({
  label,
  tabs,
  chosen,
  onChoose,
  children,
}: {
  label: string;
  tabs: readonly TabOf<K>[];
  chosen: K;
  onChoose: (key: K) => void;
  children: ReactNode;
}) {
  const move = (event: KeyboardEvent<HTMLDivElement>) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    const at = tabs.findIndex((tab) => tab.key === chosen);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    if (next === undefined) return;
    event.preventDefault();
    document.getElementById(`tab-${next.key}`)?.focus();
    onChoose(next.key);
  };
  return (
    <div className="panel overflow-hidden">
      <div
        role="tablist"
        aria-label={label}
        onKeyDown={move}
        className="border-line flex gap-1 overflow-x-auto border-b px-2"
      >
        {tabs.map(({ key, name, mark }) => (
          <button
            key={key}
            type="button"
            role="tab"
            id={`tab-${key}`}
            aria-selected={chosen === key}
            aria-controls="tab-panel"
            tabIndex={chosen === key ? 0 : -1}
            onClick={() => {
              onChoose(key);
            }}
            className={`flex items-center gap-1.5 border-b-2 px-3 py-2 text-sm font-medium whitespace-nowrap ${chosen === key ? "border-accent text-ink" : "text-soft hover:text-ink border-transparent"}`}
          >
            {name}
            {mark}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${chosen}`}>
        {children}
      </div>
    </div>
  );
}
