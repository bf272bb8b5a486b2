import { SecretMark } from "./SecretMark";
import type { VariableSet } from "./variableSet";

/** The variables of a set in one line each; secrets by name only. */
export function VariableNames({ set }: { set: VariableSet }) {
  const plain = Object.entries(set.variables);
  if (plain.length + set.secret_variables.length === 0) return <span className="text-faint">none</span>;
  return (
    <ul className="font-mono text-xs leading-5 break-all">
      {plain.map(([name, value]) => (
        <li key={name}>
          {name} = {JSON.stringify(value)}
        </li>
      ))}
      {set.secret_variables.map((name) => (
        <li key={name}>
          {name} = <SecretMark />
        </li>
      ))}
    </ul>
  );
}
