import type { DeploymentOptions } from "@/api/types";
import { Fact, Facts } from "@/components/Page";
import { Tags } from "@/components/Tag";
import { formatDuration } from "@/format/time";

export function OptionFacts({ options }: { options: DeploymentOptions }) {
  const yes = (value: boolean | undefined) => (value === true ? "yes" : "no");
  return (
    <Facts>
      <Fact name="Forks">{options.forks ?? 50}</Fact>
      <Fact name="Check mode">{yes(options.check)}</Fact>
      <Fact name="Show diffs">{yes(options.diff)}</Fact>
      <Fact name="Become root">{yes(options.become)}</Fact>
      {(options.limit ?? "") !== "" && (
        <Fact name="Limit">
          <code className="text-xs">{options.limit}</code>
        </Fact>
      )}
      {options.tags !== undefined && options.tags.length > 0 && (
        <Fact name="Only tasks tagged">
          <Tags tags={options.tags} />
        </Fact>
      )}
      {options.skip_tags !== undefined && options.skip_tags.length > 0 && (
        <Fact name="Skip tasks tagged">
          <Tags tags={options.skip_tags} />
        </Fact>
      )}
      {(options.start_at_task ?? "") !== "" && <Fact name="Start at task">{options.start_at_task}</Fact>}
      <Fact name="Verbosity">{options.verbosity ?? 0}</Fact>
      <Fact name="Timeout">{formatDuration((options.timeout_seconds ?? 3600) * 1000)}</Fact>
      <Fact name="Slices">{options.slices ?? 1}</Fact>
      <Fact name="Accelerator">{options.accelerator ?? "as the playbook says"}</Fact>
      <Fact name="Allow overlap">{yes(options.allow_overlap)}</Fact>
      {options.controller === "writable" && <Fact name="Controller">writable</Fact>}
      {options.writable_paths !== undefined && options.writable_paths.length > 0 && (
        <Fact name="Writable folders">
          <code className="text-xs break-all">{options.writable_paths.join(", ")}</code>
        </Fact>
      )}
      <Fact name="Priority">{options.priority ?? 0}</Fact>
    </Facts>
  );
}
