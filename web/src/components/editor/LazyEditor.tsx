import { lazy, Suspense } from "react";

import { Loading } from "@/components/Notice";
import type { CodeEditorProps } from "./CodeEditor";

const CodeEditor = lazy(() => import("./CodeEditor"));

/** The editor, fetched when it is first shown. Give it a `key` per text: its undo history belongs to that. */
export function LazyEditor(props: CodeEditorProps) {
  return (
    <Suspense fallback={<Loading what="the editor" />}>
      <CodeEditor {...props} />
    </Suspense>
  );
}

/** How a file is coloured. */
export function languageOf(path: string): "yaml" | "text" {
  return /\.ya?ml$/i.test(path) ? "yaml" : "text";
}
