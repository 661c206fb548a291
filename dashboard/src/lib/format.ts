/** What stands where there is no figure. */
export const NONE = "–";

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

function written(value: number, digits: number, signed: boolean): string {
  return value.toLocaleString(navigator.language, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: signed ? "exceptZero" : "negative",
  });
}

/** A whole number with separators. */
export function whole(value: unknown): string {
  return isNumber(value) ? written(value, 0, false) : NONE;
}

/** A number with `digits` decimals. */
export function fixed(value: unknown, digits = 2): string {
  return isNumber(value) ? written(value, digits, false) : NONE;
}

/** A fraction as percent. */
export function percent(value: unknown, digits = 1, signed = false): string {
  return isNumber(value) ? `${written(value * 100, digits, signed)} %` : NONE;
}

/** An amount of money. */
export function money(value: unknown, signed = false): string {
  return isNumber(value) ? written(value, 2, signed) : NONE;
}

/** A price: as many decimals as it takes to tell two apart. */
export function price(value: unknown): string {
  if (!isNumber(value)) return NONE;
  const size = Math.abs(value);
  const digits = size >= 1 || size === 0 ? 2 : Math.min(10, 3 - Math.floor(Math.log10(size)));
  return written(value, digits, false);
}

/** A quantity in billionths, or as a number, without needless zeros. */
export function quantity(value: unknown): string {
  const number = typeof value === "string" ? Number(value) : value;
  return isNumber(number) ? number.toLocaleString(navigator.language, { maximumFractionDigits: 9 }) : NONE;
}

/** Any figure: few digits where it is large, four significant ones where it is small. */
export function figure(value: unknown): string {
  if (!isNumber(value)) return NONE;
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return written(value, 0, false);
  return value.toLocaleString(navigator.language, { maximumSignificantDigits: 4 });
}

/** Names of metrics that are fractions. */
const FRACTIONS = new Set([
  "winRate",
  "maxDrawdown",
  "totalReturn",
  "pnlPerTrade",
  "exposure",
  "volatility",
  "barWinRate",
  "meanReturnPerBar",
  "cagr",
  "var95",
  "cvar95",
  "downsideDeviation",
]);

/** A metric by its name. */
export function metric(name: string, value: unknown): string {
  return FRACTIONS.has(name) ? percent(value, 2) : figure(value);
}

/** How abbreviations are written. */
const WRITTEN: Record<string, string> = {
  pnl: "PnL",
  cagr: "CAGR",
  var95: "VaR 95",
  cvar95: "CVaR 95",
  kl: "KL",
};

/** `maxDrawdown` or `approx_kl` as words. */
export function words(name: string): string {
  const apart = name.replace(/_/g, " ").replace(/([a-z0-9])([A-Z])/g, "$1 $2");
  const written = apart.toLowerCase().replace(/\w+/g, (word) => WRITTEN[word] ?? word);
  return written.charAt(0).toUpperCase() + written.slice(1);
}

/** The beginning of a long id. */
export function short(id: string | null | undefined, most = 18): string {
  if (!id) return NONE;
  return id.length <= most ? id : `${id.slice(0, most - 1)}…`;
}

/** The settings of nested objects: the innermost name with its value. */
export function flat(settings: Record<string, unknown>): [string, string][] {
  return Object.entries(settings).flatMap(([name, value]): [string, string][] => {
    const isNested = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isNested) return flat(value as Record<string, unknown>);
    return [[name, typeof value === "string" ? value : JSON.stringify(value)]];
  });
}
