import type { Deployment } from "@/api/types";
import { SecretMark } from "@/features/variables/SecretMark";
import { sourceNames } from "@/features/variables/sourceNames";

/** The variables of a deployment, each with where its value came from. */
export function FrozenVariables({ deployment }: { deployment: Deployment }) {
  const { variables, secret_variables, file_variables, variable_sources, environment, preset } = deployment;
  const sources = sourceNames(environment, preset);
  const files = new Set(file_variables);
  const shown = Object.entries(variables).filter(([name]) => !files.has(name));
  if (shown.length + secret_variables.length + files.size === 0)
    return <p className="text-soft text-sm">None.</p>;
  const title = (name: string) => {
    const source = variable_sources[name];
    return (
      <dt className="flex flex-wrap items-baseline justify-between gap-x-3">
        <span className="font-mono text-xs font-semibold">{name}</span>
        {source !== undefined && <span className="text-faint text-xs">{sources[source]}</span>}
      </dt>
    );
  };
  return (
    <dl className="space-y-2 text-sm">
      {shown.map(([name, value]) => (
        <div key={name}>
          {title(name)}
          <dd>
            <pre className="bg-sunken overflow-x-auto rounded-md px-2.5 py-1.5 text-xs whitespace-pre-wrap">
              {typeof value === "string" ? value : JSON.stringify(value, null, 2)}
            </pre>
          </dd>
        </div>
      ))}
      {secret_variables.map((name) => (
        <div key={name}>
          {title(name)}
          <dd className="bg-sunken rounded-md px-2.5 py-1.5 text-xs">
            <SecretMark />
          </dd>
        </div>
      ))}
      {file_variables.map((name) => (
        <div key={name}>
          {title(name)}
          <dd className="bg-sunken text-faint rounded-md px-2.5 py-1.5 text-xs">
            a file that was given at launch
          </dd>
        </div>
      ))}
    </dl>
  );
}
