import type { PreviewedVariable } from "@/api/types";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { SecretMark } from "@/features/variables/SecretMark";
import { sourceNames } from "@/features/variables/sourceNames";
import type { LaunchForm } from "./launchForm";
import type { LaunchContext } from "./useLaunchContext";

/** All variables of the launch, each with where its value comes from. */
export function PreviewVariables({
  variables,
  context,
  form,
}: {
  variables: readonly PreviewedVariable[];
  context: LaunchContext;
  form: LaunchForm;
}) {
  if (variables.length === 0) return <p className="text-soft text-sm">None.</p>;
  const names = sourceNames(
    context.environments.find((one) => one.id === form.environmentId)?.name,
    context.presets.find((one) => one.id === form.presetId)?.name,
  );
  return (
    <TableFrame label="Variables">
      <thead>
        <tr>
          <HeadCell>Name</HeadCell>
          <HeadCell>Value</HeadCell>
          <HeadCell>From</HeadCell>
        </tr>
      </thead>
      <tbody>
        {variables.map((variable) => (
          <tr key={variable.name}>
            <Cell className="font-mono text-xs whitespace-nowrap">{variable.name}</Cell>
            <Cell className="max-w-80 font-mono text-xs break-all">
              <Value variable={variable} file={form.files[variable.name]?.name} />
            </Cell>
            <Cell className="text-soft text-xs">
              {names[variable.source]}
              {variable.overrides.length > 0 &&
                `, overrides ${variable.overrides.map((source) => names[source]).join(" and ")}`}
            </Cell>
          </tr>
        ))}
      </tbody>
    </TableFrame>
  );
}

function Value({ variable, file }: { variable: PreviewedVariable; file: string | undefined }) {
  if (variable.secret) return <SecretMark />;
  if (variable.value === null && file !== undefined)
    return <span className="text-faint">the file {file}</span>;
  return JSON.stringify(variable.value);
}
