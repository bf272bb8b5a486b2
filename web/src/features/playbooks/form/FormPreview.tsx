import { useState } from "react";

import type { Form, PlaybookForm } from "@/api/types";
import { checkAnswers, shownFields } from "@/features/launch/formAnswers";
import { FormFields } from "@/features/launch/FormFields";
import { givenAnswers, withEntry } from "@/features/launch/given";
import type { Answer, ChosenFile } from "@/features/launch/launchForm";

const NOTHING_BELOW = new Map<string, never>();

/** The form as the launch will show it, to be tried out: nothing that is typed here goes anywhere. */
export function FormPreview({ form, source }: { form: Form; source: PlaybookForm["source"] }) {
  const [answers, setAnswers] = useState<Record<string, Answer>>({});
  const [files, setFiles] = useState<Record<string, ChosenFile>>({});
  const given = givenAnswers({ answers, files }, NOTHING_BELOW);
  const touched = new Set([...Object.keys(answers), ...Object.keys(files)]);
  // What was not touched is not complained about.
  const errors = checkAnswers(form, source, given).filter((error) =>
    touched.has(error.field.slice(error.field.indexOf(".") + 1)),
  );
  return (
    <div className="border-line rounded-md border border-dashed p-4">
      <FormFields
        fields={shownFields(form, given)}
        answers={answers}
        files={files}
        lower={NOTHING_BELOW}
        errors={errors}
        onAnswer={(name, answer) => {
          setAnswers(withEntry(answers, name, answer));
        }}
        onFile={(name, file) => {
          setFiles(withEntry(files, name, file));
        }}
      />
    </div>
  );
}
