/** Series and samples that cannot be used, while the rest of their request can. What is counted are samples. */

export type RejectionReason =
  | 'missing_metric_name'
  | 'duplicate_label'
  | 'empty_label_name'
  | 'invalid_label_refs'
  | 'invalid_utf8'
  | 'label_limit'
  | 'series_limit'
  | 'ha_limit'
  | 'invalid_histogram'
  | 'missing_time'
  | 'missing_value'
  | 'unspecified_temporality'
  | 'delta_of_gauge';

const EXAMPLES_MAX = 5;
const EXAMPLE_CHARACTERS_MAX = 200;

export class Rejections {
  /** Samples by reason. */
  readonly samples: Record<RejectionReason, number>;
  /** The first few, for a human. */
  readonly examples: string[];

  constructor() {
    this.samples = {
      missing_metric_name: 0,
      duplicate_label: 0,
      empty_label_name: 0,
      invalid_label_refs: 0,
      invalid_utf8: 0,
      label_limit: 0,
      series_limit: 0,
      ha_limit: 0,
      invalid_histogram: 0,
      missing_time: 0,
      missing_value: 0,
      unspecified_temporality: 0,
      delta_of_gauge: 0,
    };
    this.examples = [];
  }

  clear(): void {
    if (this.total === 0) return;
    for (const reason of Object.keys(this.samples)) this.samples[reason as RejectionReason] = 0;
    this.examples.length = 0;
  }

  get total(): number {
    let total = 0;
    for (const reason in this.samples) total += this.samples[reason as RejectionReason];
    return total;
  }

  get wantsExample(): boolean {
    return this.examples.length < EXAMPLES_MAX;
  }

  addExample(text: string): void {
    if (!this.wantsExample) return;
    const cut = text.slice(0, EXAMPLE_CHARACTERS_MAX - 1).replace(/[\ud800-\udbff]$/, '');
    this.examples.push(text.length > EXAMPLE_CHARACTERS_MAX ? `${cut}…` : text);
  }
}
