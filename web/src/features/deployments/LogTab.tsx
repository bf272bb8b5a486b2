import { getRouteApi, useLocation } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";

import { isEnded } from "@/api/stream";
import type { Deployment } from "@/api/types";
import { Button, IconButton } from "@/components/Button";
import { Icon } from "@/components/Icon";
import { isTyping } from "@/components/isTyping";
import { EmptyState, ErrorNotice, Loading, Notice } from "@/components/Notice";
import { SearchBox } from "@/components/SearchBox";
import { formatBytes, formatCount, plural } from "@/format/numbers";
import { findInLog, lineOfHash, shownLines } from "./logLines";
import { LogView } from "./LogView";
import { useOutput } from "./useOutput";

const route = getRouteApi("/app/deployments/$id");

export function LogTab({ deployment }: { deployment: Deployment }) {
  const { log, removedBytes, loaded, error, retry } = useOutput(deployment.id, deployment.output_bytes);
  const { find = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const marked = lineOfHash(useLocation({ select: (location) => location.hash }));
  const ended = isEnded(deployment);
  const [following, setFollowing] = useState(!ended && marked === null);
  const [hit, setHit] = useState(0);
  const lines = useMemo(() => shownLines(log), [log]);
  const hits = useMemo(() => findInLog(lines, find), [lines, find]);

  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== "j" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      setFollowing((value) => !value);
    };
    document.addEventListener("keydown", listen);
    return () => {
      document.removeEventListener("keydown", listen);
    };
  }, []);

  const shownHit = hits.length === 0 ? null : hit % hits.length;
  const move = (by: number) => {
    if (hits.length === 0) return;
    setFollowing(false);
    setHit((hit + by + hits.length) % hits.length);
  };

  return (
    <>
      <div className="border-line flex flex-wrap items-center gap-2 border-b p-3">
        <SearchBox
          label="Search log"
          value={find}
          onChange={(text) => {
            setHit(0);
            if (text !== "") setFollowing(false);
            void navigate({
              search: (old) => ({ ...old, tab: "log", find: text || undefined }),
              hash: true,
              replace: true,
            });
          }}
          className="min-w-44 flex-1 sm:max-w-xs"
        />
        {find !== "" && (
          <span className="flex items-center gap-1">
            <span role="status" className="text-soft text-sm">
              {shownHit === null
                ? "no line matches"
                : `${formatCount(shownHit + 1)} of ${plural(hits.length, "line")}`}
            </span>
            <IconButton
              icon="chevronDown"
              label="Previous match"
              className="rotate-180"
              disabled={hits.length === 0}
              onClick={() => {
                move(-1);
              }}
            />
            <IconButton
              icon="chevronDown"
              label="Next match"
              disabled={hits.length === 0}
              onClick={() => {
                move(1);
              }}
            />
          </span>
        )}
        <span className="flex-1" />
        <span className="text-faint text-sm">
          {plural(lines.length, "line")} · {formatBytes(deployment.output_bytes)}
        </span>
        <Button
          small
          aria-pressed={following}
          title="Shortcut: j"
          className={following ? "border-accent! bg-accent-tint!" : ""}
          onClick={() => {
            setFollowing(!following);
          }}
        >
          {following ? "Following" : "Follow"}
        </Button>
        <a
          href={`/api/deployments/${deployment.id}/output?format=text`}
          download={`deployment-${deployment.number}.log`}
          className="border-edge/50 hover:bg-hover inline-flex items-center gap-1.5 rounded-md border px-2 py-1 text-sm font-medium"
        >
          <Icon name="download" />
          Download
        </a>
      </div>
      {error !== null && (
        <ErrorNotice className="m-3" title="The log could not be read" error={error} onRetry={retry} />
      )}
      {removedBytes > 0 && lines.length > 0 && (
        <Notice tone="info" className="m-3">
          The first {formatBytes(removedBytes)} of the output were removed: they are older than output is
          kept.
        </Notice>
      )}
      {lines.length === 0 ? (
        loaded ? (
          <EmptyState icon="deployments" title={removedBytes > 0 ? "Output removed" : "No output"}>
            {removedBytes > 0
              ? `The output of this deployment (${formatBytes(removedBytes)}) is older than output is kept, and was removed.`
              : ended
                ? "The run ended without writing anything."
                : "Output appears here as soon as the run writes some."}
          </EmptyState>
        ) : (
          error === null && <Loading what="the log" />
        )
      ) : (
        <LogView
          lines={lines}
          following={following}
          onLeaveEnd={() => {
            setFollowing(false);
          }}
          marked={marked}
          hit={shownHit === null ? null : (hits[shownHit] ?? null)}
          hits={hits}
          onMark={(line) => {
            setFollowing(false);
            void navigate({
              search: (old) => ({ ...old, tab: "log" }),
              hash: `L${line + 1}`,
              replace: true,
            });
          }}
        />
      )}
    </>
  );
}
