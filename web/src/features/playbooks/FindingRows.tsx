import type { ReactNode } from "react";

import type { Finding } from "@/api/types";
import { Icon } from "@/components/Icon";
import { placeOf, SEVERITIES, sortFindings } from "./findings";

/** Findings, the worst first: what was found, why it matters, and where. */
export function FindingRows({
  findings,
  label = "Findings",
  place,
}: {
  findings: readonly Finding[];
  label?: string;
  /** How the place is shown; plain text otherwise. */
  place?: (finding: Finding, text: string) => ReactNode;
}) {
  return (
    <ul aria-label={label} className="divide-line divide-y">
      {sortFindings(findings).map((finding, index) => {
        const { name, icon, colour } = SEVERITIES[finding.severity];
        const text = placeOf(finding);
        return (
          <li key={index} className="flex items-start gap-2 py-1.5 text-sm">
            <span className={`flex shrink-0 items-center gap-1 text-xs font-medium ${colour} w-18 pt-0.5`}>
              <Icon name={icon} className="size-3.5" />
              {name}
            </span>
            <div className="min-w-0 flex-1">
              <p className="break-words">{finding.message}</p>
              <p className="text-faint font-mono text-xs break-all">
                {place === undefined ? text : place(finding, text)} · {finding.rule}
              </p>
            </div>
          </li>
        );
      })}
    </ul>
  );
}
