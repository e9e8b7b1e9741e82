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
  commit: "Commit",
  justShow: "Just show me",
  again: "Predict again",
  prediction: "Your prediction",
  between: "A number from {min} to {max}.",
  wholeBetween: "A whole number from {min} to {max}.",
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
    anyResidual: "residual",
    others: {
      constant: "scaled shortcut", "exclusive-gate": "exclusive gate", "shortcut-gate": "gated shortcut",
      dropout: "shortcut dropout", "single-layer": "around each layer",
    },
    more: "Nets with something changed: recipe, start, precision, shortcut",
    variant: "{net}, {variant}",
    notRecorded: "{net}, not recorded yet",
    seedsRecorded: "{net}, {count} of {wanted} seeds recorded",
  },

  /** Words that come with the data: how to say them, where not as they are. */
  ofData: {
    scales: "trained on many scales",
    "fan-out": "He's rule by fan-out",
    "small init": "small first weights",
    "without BN small init": "without BN, small first weights",
    "without BN xavier": "without BN, Glorot's initialisation",
    "(0.5 1.0)": "\u00d7 0.5",
    "(0.5 0.5)": "\u00d7 0.5, residual too",
    "(0)": "bias 0",
    "(-6)": "bias \u22126",
  } as Record<string, string>,
};
