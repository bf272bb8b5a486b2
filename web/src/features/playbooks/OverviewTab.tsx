import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { Button } from "@/components/Button";
import { Fact, Facts, Section } from "@/components/Page";
import { Tags } from "@/components/Tag";
import { Time } from "@/components/Time";
import { StatusLabel } from "@/features/deployments/StatusLabel";
import { plural } from "@/format/numbers";
import { EntryPointsDialog } from "./EntryPointsDialog";
import { successRate } from "./library";
import type { TabProps } from "./PlaybookPage";

const SOURCES = {
  built_in: "ships with Admiral",
  upload: "uploaded",
  folder: "a folder on the server's machine",
  git: "a git repository",
};

export function OverviewTab({ playbook, of, version, operate }: TabProps) {
  const [choosing, setChoosing] = useState(false);
  const { outline, record } = playbook;
  const rate = successRate(record);
  return (
    <div className="grid gap-8 lg:grid-cols-2">
      <Section title="What it does">
        <p className="mb-3 max-w-prose text-sm whitespace-pre-line">
          {outline.description ?? <span className="text-faint">It has no description.</span>}
        </p>
        <Facts>
          <Fact name="Hosts">
            <Words words={outline.hosts ?? []} none="none named" />
          </Fact>
          <Fact name="Roles">
            <Words words={outline.roles ?? []} none="none" />
          </Fact>
          <Fact name="Tags">
            <Tags tags={outline.tags ?? []} />
          </Fact>
          <Fact name="Variables">
            <Words words={outline.variables ?? []} none="none of its own" />
          </Fact>
          {outline.category != null && <Fact name="Category">{outline.category}</Fact>}
          {outline.accelerator != null && <Fact name="Accelerator">{outline.accelerator}</Fact>}
        </Facts>
      </Section>
      <Section title="Runs">
        {record.latest.length === 0 ? (
          <p className="text-soft text-sm">It has not been run yet.</p>
        ) : (
          <>
            <ul className="divide-line divide-y text-sm">
              {record.latest.map((run) => (
                <li key={run.id} className="flex items-center gap-3 py-1.5">
                  <Link to="/deployments/$id" params={{ id: String(run.number) }} className="link">
                    #{run.number}
                  </Link>
                  <StatusLabel status={run.status} />
                  <span className="text-soft ml-auto">
                    <Time value={run.created_at} />
                  </span>
                </li>
              ))}
            </ul>
            <p className="text-soft mt-2 text-sm">
              {rate !== null && `${rate}% of ${plural(record.ended, "run")} completed. `}
              <Link to="/deployments" search={{ search: playbook.id }} className="link">
                All of its deployments
              </Link>
            </p>
          </>
        )}
      </Section>
      <Section title="Package">
        <Facts>
          <Fact name="Name">{of.name === "" ? "files at the root of the folder" : of.name}</Fact>
          <Fact name="Source">{SOURCES[of.source]}</Fact>
          <Fact name="Version">
            {version.number} by {version.author_name}, <Time value={version.created_at} />
          </Fact>
          {version.commit_id !== null && (
            <Fact name="Commit">
              <code className="text-xs break-all">{version.commit_id}</code>
            </Fact>
          )}
          {version.comment !== "" && <Fact name="Comment">{version.comment}</Fact>}
          {of.origin === "custom" && (
            <Fact name="Findings">
              {version.reviewed_at === null ? (
                "not accepted by anybody yet"
              ) : (
                <>
                  accepted by {version.reviewed_by_name}, <Time value={version.reviewed_at} />
                </>
              )}
            </Fact>
          )}
          {(of.entry_points.length > 1 || of.source === "upload") && (
            <Fact name="Playbooks in it">
              <ul>
                {of.entry_points.map((entry) => (
                  <li key={entry}>
                    <Link
                      to="/playbooks/$"
                      params={{ _splat: siblingId(playbook.id, playbook.entry_path, entry) }}
                      className="link font-mono text-xs break-all"
                    >
                      {entry}
                    </Link>
                  </li>
                ))}
              </ul>
              {of.source === "upload" && operate && (
                <Button
                  small
                  className="mt-1"
                  onClick={() => {
                    setChoosing(true);
                  }}
                >
                  Choose playbooks
                </Button>
              )}
            </Fact>
          )}
        </Facts>
      </Section>
      {choosing && of.current_version !== null && (
        <EntryPointsDialog
          playbook={playbook}
          of={of}
          current={of.current_version}
          onClose={() => {
            setChoosing(false);
          }}
        />
      )}
    </div>
  );
}

/** The id of another playbook of the same package. */
function siblingId(id: string, entry: string, other: string): string {
  return id.slice(0, id.length - entry.length) + other;
}

function Words({ words, none }: { words: readonly string[]; none: string }) {
  return words.length === 0 ? (
    <span className="text-faint">{none}</span>
  ) : (
    <span className="font-mono text-xs leading-5 break-words">{words.join(", ")}</span>
  );
}
