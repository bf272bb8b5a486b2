/** The one file among what was dropped, or why there is none. */
export function droppedFile(data: DataTransfer): File | string {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry());
  if (entries.some((entry) => entry?.isDirectory === true))
    return "A folder cannot be dropped. Pack it as .zip or .tar.gz first.";
  const [file] = data.files;
  if (file === undefined) return "No file was dropped.";
  if (data.files.length > 1)
    return "Only one file is taken at a time. Pack files that belong together as .zip or .tar.gz.";
  return file;
}
