import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";

import { AnsiText } from "./AnsiText";
import type { LogLine } from "./logLines";

const LINE_HEIGHT = 20;
/** Scrolled up by more than this, the reader has left the end. */
const END_SLACK = 60;

/** The lines of a log; only those on the screen are drawn. */
export function LogView({
  lines,
  following,
  onLeaveEnd,
  marked,
  hit,
  hits,
  onMark,
}: {
  lines: readonly LogLine[];
  following: boolean;
  onLeaveEnd: () => void;
  /** The line a permalink points at. */
  marked: number | null;
  /** The match in view, and all of them. */
  hit: number | null;
  hits: readonly number[];
  onMark: (line: number) => void;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const matching = useMemo(() => new Set(hits), [hits]);
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 30,
  });

  const count = lines.length;
  useEffect(() => {
    if (following && count > 0) virtualizer.scrollToIndex(count - 1, { align: "end" });
  }, [following, count, virtualizer]);

  const target = hit ?? marked;
  const reachable = target !== null && target < count;
  useEffect(() => {
    if (target !== null && reachable) virtualizer.scrollToIndex(target, { align: "center" });
  }, [target, reachable, virtualizer]);

  return (
    <div
      ref={scroller}
      role="region"
      aria-label="Log output"
      tabIndex={0}
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        const up = scrollTop < lastTop.current;
        lastTop.current = scrollTop;
        if (following && up && scrollHeight - scrollTop - clientHeight > END_SLACK) onLeaveEnd();
      }}
      className="h-[max(20rem,calc(100dvh-23rem))] overflow-auto py-2 font-mono text-xs leading-5 -outline-offset-2"
    >
      <div className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const line = lines[item.index];
          if (line === undefined) return null;
          const look =
            item.index === hit || item.index === marked
              ? "bg-changed/20"
              : matching.has(item.index)
                ? "bg-changed/10"
                : "hover:bg-hover";
          return (
            <div
              key={item.key}
              ref={virtualizer.measureElement}
              data-index={item.index}
              className={`absolute inset-x-0 top-0 flex ${look}`}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <a
                href={`#L${item.index + 1}`}
                aria-label={`Line ${item.index + 1}`}
                onClick={(event) => {
                  event.preventDefault();
                  onMark(item.index);
                }}
                className="text-faint hover:text-ink w-14 shrink-0 pr-3 text-right select-none"
              >
                {item.index + 1}
              </a>
              <span className="min-h-5 min-w-0 flex-1 pr-3 break-words whitespace-pre-wrap">
                <AnsiText spans={line.spans} />
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
