import { Link } from "@tanstack/react-router";

import type { Playbook } from "@/api/types";
import { ButtonLink } from "@/components/Button";
import { Icon } from "@/components/Icon";
import { Tag } from "@/components/Tag";
import { Time } from "@/components/Time";
import type { OriginGroup } from "./library";
import { whyNotLaunched } from "./library";
import { RunMarks } from "./RunMarks";

/** The library: a heading for every origin, and for every category within it. */
export function PlaybookList({ groups, operate }: { groups: readonly OriginGroup[]; operate: boolean }) {
  return groups.map((group) => (
    <section key={group.origin} aria-label={group.name}>
      <h2 className="bg-sunken border-line text-soft border-b px-3 py-1.5 text-xs font-semibold tracking-wide uppercase">
        {group.name} <span className="text-faint font-normal">{group.count}</span>
      </h2>
      {group.categories.map((category, index) => (
        <div key={category.name}>
          {category.name !== "" && (
            <h3
              className={`text-faint border-line border-b px-3 py-1 text-xs font-medium ${index > 0 ? "border-t" : ""}`}
            >
              {category.name}
            </h3>
          )}
          <ul aria-label={category.name === "" ? group.name : `${group.name}, ${category.name}`}>
            {category.playbooks.map((playbook) => (
              <PlaybookRow key={playbook.id} playbook={playbook} operate={operate} />
            ))}
          </ul>
        </div>
      ))}
    </section>
  ));
}

function PlaybookRow({ playbook, operate }: { playbook: Playbook; operate: boolean }) {
  const { outline } = playbook;
  const gone = playbook.missing_since !== null;
  const refusal = whyNotLaunched(playbook);
  return (
    <li className="border-line hover:bg-hover grid items-start gap-x-4 gap-y-2 border-b px-3 py-2.5 last:border-b-0 max-lg:grid-cols-[auto_1fr_auto] lg:grid-cols-[minmax(0,5fr)_minmax(0,4fr)_9rem_9rem_5.5rem]">
      <div className="min-w-0 max-lg:col-span-3">
        <Link
          to="/playbooks/$"
          params={{ _splat: playbook.id }}
          className={`font-medium hover:underline ${gone ? "text-faint" : ""}`}
        >
          {outline.name}
        </Link>
        <span className="text-faint ml-2 font-mono text-xs break-all">{playbook.path}</span>
        {outline.description != null && (
          <p className={`line-clamp-2 text-xs ${gone ? "text-faint" : "text-soft"}`}>{outline.description}</p>
        )}
        {outline.error != null && (
          <p className="text-failed mt-0.5 flex items-start gap-1 text-xs break-words">
            <Icon name="warning" className="mt-px size-3.5" />
            {outline.error}
          </p>
        )}
        {playbook.missing_since !== null && (
          <p className="text-faint mt-0.5 text-xs">
            missing since <Time value={playbook.missing_since} />
          </p>
        )}
      </div>
      <div className="flex min-w-0 flex-wrap items-center gap-1 text-xs empty:hidden max-lg:col-span-3">
        {(outline.hosts ?? []).length > 0 && (
          <span className="text-soft mr-1 break-all">
            on <code>{(outline.hosts ?? []).join(", ")}</code>
          </span>
        )}
        <Few label="role" names={outline.roles ?? []} />
        <Few label="tag" names={outline.tags ?? []} />
        <Few label="variable" names={outline.variables ?? []} />
      </div>
      <div className="text-soft text-xs">
        {playbook.version_number !== null && <>version {playbook.version_number}</>}
        {playbook.updated_at !== null && (
          <span className="text-faint block">
            <Time value={playbook.updated_at} />
          </span>
        )}
      </div>
      <RunMarks record={playbook.record} />
      <div className="lg:text-right">
        {operate && refusal === null && (
          <ButtonLink small to="/deployments/new" search={{ playbook: playbook.id }}>
            Launch
          </ButtonLink>
        )}
      </div>
    </li>
  );
}

/** A few names as tags; the others are counted, and named on hover. */
function Few({ label, names }: { label: string; names: readonly string[] }) {
  const most = 4;
  return (
    <>
      {names.slice(0, most).map((name) => (
        <Tag key={name}>{label === "tag" ? name : `${label} ${name}`}</Tag>
      ))}
      {names.length > most && (
        <span className="text-faint" title={names.slice(most).join(", ")}>
          +{names.length - most}
          <span className="sr-only"> more {label}s</span>
        </span>
      )}
    </>
  );
}
