import { EDGES, KINDS, ROWS_MAX, SERIES_IDS, SLOP_BYTES, STATE, TIMESTAMPS, VALUES } from './layout';

/**
 * The walk over a decoded `prometheus.WriteRequest`, as far as its series are those that followed each other the last
 * time.
 *
 * An *edge* leads from a form to the one that followed it, and holds in what its label bytes differ from those of the
 * form before it: a prefix and a suffix they share, and the bytes between. The form before it was compared in this very
 * request, so that comparing prefix and suffix with it, which is in the cache, and only the bytes between with memory, is
 * to compare all bytes. At 200,000 series a round reads 7 MB in place of 54 MB.
 */

/**
 * In and out: where the walk is; rows and series so far; the form that was read last (-1: none), and where its label
 * bytes are; who sends.
 */
class State {
  at: u32;
  row: u32;
  series: u32;
  previous: i32;
  previousAt: u32;
  previousLength: u32;
  sender: i32;
}

class Edge {
  /** The form that follows, plus one: memory begins with zeros. */
  next: u32;
  series: i32;
  sender: i32;
  middleAt: u32;
  prefix: u16;
  middle: u16;
  suffix: u16;
  middleCapacity: u16;
}

const TIMESERIES_TAG: u8 = 0x0a;
/** The tag and the length of a sample with a value and a timestamp of 6 bytes; behind it the tag of the value. */
const FULL_SAMPLE: u32 = 0x091012;
/** Those of a sample whose value is 0 and left out; behind it the tag of the timestamp. */
const ZERO_SAMPLE: u32 = 0x100712;
const TIMESTAMP_TAG: u8 = 0x10;
/** A varint of exactly six bytes goes on after each of the first five. */
const CONTINUES: u64 = 0x808080808080;
const CONTINUES_FIVE: u64 = 0x008080808080;
const STALE: u64 = (0x7ff << 52) | 2;
const VALUE_KIND: u8 = 0;
const STALE_KIND: u8 = 1;

let formsMax: u32 = 0;
let middlesEnd: usize = 0;

/** To be called once: how many forms may be followed. Returns where the bytes of the edges begin. */
export function begin(forms: u32): usize {
  formsMax = forms;
  middlesEnd = middles();
  return middlesEnd;
}

function middles(): usize {
  return EDGES + <usize>formsMax * offsetof<Edge>();
}

/** Forgets all edges of the first `forms` forms. */
export function clear(forms: u32): void {
  memory.fill(EDGES, 0, <usize>min(forms, formsMax) * offsetof<Edge>());
  middlesEnd = middles();
}

/** Where the bytes of the edges end; the caller sees to it that there is room for more. */
export function used(): usize {
  return middlesEnd;
}

/**
 * Reads series up to `end`, or to the first one that is not the expected one, or does not look as Prometheus writes it,
 * or whose rows do not all fit.
 */
export function walk(end: usize, seriesMax: u32, rowsMax: u32): void {
  const state = changetype<State>(STATE);
  let at = <usize>state.at;
  let row = <usize>state.row;
  let series = state.series;
  let previous = state.previous;
  let previousAt = <usize>state.previousAt;
  let previousLength = <usize>state.previousLength;
  const sender = state.sender;
  const rowsEnd = min(<usize>rowsMax, ROWS_MAX);
  while (at < end && series < seriesMax && <u32>previous < formsMax) {
    if (load<u8>(at) !== TIMESERIES_TAG) break;
    const low = <usize>load<u8>(at, 1);
    let start = at + 2;
    let length = low;
    if (low >= 0x80) {
      const high = <usize>load<u8>(at, 2);
      if (high >= 0x80) break;
      start = at + 3;
      length = (low & 0x7f) | (high << 7);
    }
    const seriesEnd = start + length;
    if (seriesEnd > end) break;

    const edge = changetype<Edge>(EDGES + <usize>previous * offsetof<Edge>());
    if (edge.next === 0 || edge.sender !== sender) break;
    const prefix = <usize>edge.prefix;
    const middle = <usize>edge.middle;
    const suffix = <usize>edge.suffix;
    const labelBytes = prefix + middle + suffix;
    let field = start + labelBytes;
    if (field >= seriesEnd) break;
    if (!equal(start + prefix, edge.middleAt, middle)) break;
    if (!equal(start, previousAt, prefix)) break;
    if (!equal(field - suffix, previousAt + previousLength - suffix, suffix)) break;

    let rowEnd = row;
    while (field < seriesEnd) {
      if (rowEnd === rowsEnd) break;
      const head = load<u32>(field) & 0xffffff;
      let time = field + 3;
      let value: u64 = 0;
      if (head === FULL_SAMPLE) {
        if (load<u8>(field, 11) !== TIMESTAMP_TAG) break;
        value = load<u64>(field, 3);
        time = field + 12;
      } else if (head !== ZERO_SAMPLE) {
        break;
      }
      const varint = load<u64>(time);
      if (time + 6 > seriesEnd || (varint & CONTINUES) !== CONTINUES_FIVE) break;
      store<i32>(SERIES_IDS + (rowEnd << 2), edge.series);
      store<u64>(VALUES + (rowEnd << 3), value);
      store<f64>(TIMESTAMPS + (rowEnd << 3), <f64>(<i64>sixBytes(varint)));
      store<u8>(KINDS + rowEnd, value === STALE ? STALE_KIND : VALUE_KIND);
      rowEnd++;
      field = time + 6;
    }
    if (field !== seriesEnd) break;
    row = rowEnd;
    series++;
    previous = <i32>(edge.next - 1);
    previousAt = start;
    previousLength = labelBytes;
    at = seriesEnd;
  }
  state.at = <u32>at;
  state.row = <u32>row;
  state.series = series;
  state.previous = previous;
  state.previousAt = <u32>previousAt;
  state.previousLength = <u32>previousLength;
}

/** The six groups of seven bits of a varint. */
function sixBytes(varint: u64): u64 {
  return (
    (varint & 0x7f) |
    ((varint >>> 1) & 0x3f80) |
    ((varint >>> 2) & 0x1fc000) |
    ((varint >>> 3) & 0xfe00000) |
    ((varint >>> 4) & 0x7f0000000) |
    ((varint >>> 5) & 0x3f800000000)
  );
}

/** Whether two runs of bytes are equal. Reads up to 15 bytes past their ends. */
function equal(a: usize, b: usize, length: usize): bool {
  let i: usize = 0;
  for (; i + 16 <= length; i += 16) {
    if (v128.any_true(v128.xor(v128.load(a + i), v128.load(b + i)))) return false;
  }
  const meant = (1 << (<i32>(length - i))) - 1;
  return (i8x16.bitmask(i8x16.eq(v128.load(a + i), v128.load(b + i))) & meant) === meant;
}

/**
 * Remembers that `form` follows `previous`, with label bytes at these places of the request. Without room for them
 * nothing is remembered.
 */
export function link(
  previous: u32,
  previousAt: usize,
  previousLength: usize,
  form: u32,
  at: usize,
  length: usize,
  series: i32,
  sender: i32,
): void {
  if (previous >= formsMax || form >= formsMax || previousLength > u16.MAX_VALUE || length > u16.MAX_VALUE) return;
  const shared = min(previousLength, length);
  let prefix: usize = 0;
  while (prefix < shared && load<u8>(at + prefix) === load<u8>(previousAt + prefix)) prefix++;
  let suffix: usize = 0;
  const end = at + length - 1;
  const previousEnd = previousAt + previousLength - 1;
  while (suffix < shared - prefix && load<u8>(end - suffix) === load<u8>(previousEnd - suffix)) suffix++;
  const middle = length - prefix - suffix;

  const edge = changetype<Edge>(EDGES + <usize>previous * offsetof<Edge>());
  if (middle > <usize>edge.middleCapacity) {
    let capacity: usize = 16;
    while (capacity < middle) capacity <<= 1;
    if (capacity > u16.MAX_VALUE || middlesEnd + capacity + SLOP_BYTES > (<usize>memory.size()) << 16) return;
    edge.middleAt = <u32>middlesEnd;
    edge.middleCapacity = <u16>capacity;
    middlesEnd += capacity;
  }
  memory.copy(edge.middleAt, at + prefix, middle);
  edge.prefix = <u16>prefix;
  edge.middle = <u16>middle;
  edge.suffix = <u16>suffix;
  edge.series = series;
  edge.sender = sender;
  edge.next = form + 1;
}
