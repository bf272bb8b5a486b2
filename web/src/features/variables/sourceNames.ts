import type { VariableSource } from "@/api/types";

/** Where a variable's value comes from, in words. */
export function sourceNames(
  environment: string | null | undefined,
  preset: string | null | undefined,
): Record<VariableSource, string> {
  return {
    form: "form default",
    environment: environment == null ? "an environment" : `${environment} (environment)`,
    preset: preset == null ? "a preset" : `${preset} (preset)`,
    launch: "given at launch",
  };
}
