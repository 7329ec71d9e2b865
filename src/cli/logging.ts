import { destination, type Logger, pino, stdTimeFunctions } from 'pino';

/** JSON lines on stderr, written before the call returns, so that the last words of a process are not lost. */
export function createLogger(level: string): Logger {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination({ fd: 2, sync: true }));
}
