// What explorers share of texts, in English; each has its own words. {names} are replaced by values.
// The same keys in every language: tsc and a test see to it, and to the {names}.
export const en = {
  language: "en",
  comma: ", ",
  semicolon: "; ",
  /** Between the names of a list, before the last of which stands `and`. */
  listComma: ", ",
  and: " and ",
  /** Between two sentences. */
  space: " ",
  percent: "%",
  commit: "Commit my prediction",
  justShow: "Just show me",
  prediction: "Your prediction",
  between: "A number from {min} to {max}.",
  wholeBetween: "A whole number from {min} to {max}.",
  clear: "Clear",
  download: "Download this view (CSV)",
  copyLink: "Copy a link to this view",
  copied: "Copied",
  notCopied: "The browser forbids it: copy the address instead",
  chooseNets: "Choose a net in the table.",
  notAChoice: "{key}: there is no \u201c{value}\u201d here, but {known}.",
  notThere: "{key}: there is no \u201c{value}\u201d here.",
  notAValue: "\u201c{key}={value}\u201d means nothing here.",
  noSuchView: "There is no such view: this is the first one.",
  failed: "This explorer could not start: {error}",

  nets: {
    plain: "plain-{depth}",
    residual: "ResNet-{depth}",
    preactivation: "pre-ResNet-{depth}",
    kinds: { plain: "plain", A: "residual, A", B: "residual, B", C: "residual, C", preactivation: "pre-activation" },
    variant: "{net}, {variant}",
    notRecorded: "{net}, not recorded yet",
    seedsRecorded: "{net}, {count} of {wanted} seeds recorded",
  },

  /** Words that come with the data: how to say them. English says them as they are. */
  ofData: {} as Record<string, string>,
};
