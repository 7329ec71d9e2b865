export {
  BODY,
  BODY_BYTES_MAX,
  DECODED,
  DECODED_BYTES_MAX,
  KINDS,
  ROWS_MAX,
  SERIES_IDS,
  STATE,
  TIMESTAMPS,
  VALUES,
} from './layout';
export { decode } from './snappy';
export { begin, clear, link, used, walk } from './walk';
