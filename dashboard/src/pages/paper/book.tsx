import { useMemo } from "react";
import type { LiveEvent, LiveFill, LiveSwap } from "../../api/types";
import { LineChart, PriceChart } from "../../charts";
import { Panel, Time } from "../../components/basics";
import { Empty } from "../../components/states";
import { money, price, quantity, short, words } from "../../lib/format";
import type { Book } from "../../stores/live";

/** Newest rows of a table. */
const ROWS = 50;

/** What the journal tells as charts: equity and price, with trades and models. */
export function ChartPanels({ book }: { book: Book }) {
  const { bars, fills, swaps } = book;
  return (
    <>
      <Panel title="Equity">
        {bars.length < 2 ? <Empty title="No bars yet">A line needs two.</Empty> : <Equity book={book} />}
      </Panel>
      <Panel title="Price, trades and models" wide>
        {bars.length < 2 ? (
          <Empty title="No bars yet">The chart begins with the second bar.</Empty>
        ) : (
          <PriceChart bars={bars} fills={fills} swaps={swaps} />
        )}
      </Panel>
    </>
  );
}

/** What the journal tells row by row: trades, models, events. */
export function RowPanels({ book }: { book: Book }) {
  const { fills, swaps, events } = book;
  return (
    <>
      <Panel title="Fills" wide>
        <Fills fills={fills} symbol={book.session.symbol} />
      </Panel>
      <Panel title="Models">
        <Swaps swaps={swaps} />
      </Panel>
      <Panel title="Events">
        <Events events={events} />
      </Panel>
    </>
  );
}

function Equity({ book }: { book: Book }) {
  const { x, lines } = useMemo(
    () => ({
      x: book.bars.map((bar) => Date.parse(bar.open_time) / 1000),
      lines: [{ name: "Equity", values: book.bars.map((bar) => bar.equity) }],
    }),
    [book.bars],
  );
  return <LineChart x={x} lines={lines} isTime xName="Bar" format={money} label="Equity at each close" />;
}

const newest = <T,>(rows: T[]): T[] => rows.slice(-ROWS).reverse();

/** A fee with what it was taken in. */
export function fee({ fee_quantity: taken, fee_cash: cash }: LiveFill, symbol: string): string {
  const [asset, quote] = symbol.split("/");
  const named = (amount: string, unit: string | undefined) => (unit ? `${amount} ${unit}` : amount);
  return taken ? named(quantity(taken), asset) : named(money(cash), quote);
}

function Fills({ fills, symbol }: { fills: LiveFill[]; symbol: string }) {
  if (fills.length === 0) return <Empty title="No fill yet">Orders appear here when they are filled.</Empty>;
  return (
    <div className="scroll">
      <table className="stack">
        <thead>
          <tr>
            <th>Time</th>
            <th>Side</th>
            <th className="number">Quantity</th>
            <th className="number">Price</th>
            <th className="number">Expected</th>
            <th className="number">Fee</th>
            <th>Model</th>
          </tr>
        </thead>
        <tbody>
          {newest(fills).map((fill) => (
            <tr key={fill.number}>
              <td data-label="Time">
                <Time at={fill.time} />
              </td>
              <td data-label="Side" className={fill.side === "buy" ? "good" : "bad"}>
                {fill.side}
              </td>
              <td data-label="Quantity" className="number">
                {quantity(fill.quantity)}
              </td>
              <td data-label="Price" className="number">
                {price(fill.price)}
              </td>
              <td data-label="Expected" className="number">
                {price(fill.expected_price)}
              </td>
              <td data-label="Fee" className="number">
                {fee(fill, symbol)}
              </td>
              <td data-label="Model">{fill.model_version ? `v${fill.model_version}` : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Swaps({ swaps }: { swaps: LiveSwap[] }) {
  if (swaps.length === 0)
    return <Empty title="No model yet">The trader runs flat until its line has a champion.</Empty>;
  return (
    <ul className="list small">
      {newest(swaps).map((swap) => (
        <li key={swap.number}>
          <strong>v{swap.model.model_version}</strong>{" "}
          <span className="mono" title={swap.model.model_id}>
            {short(swap.model.model_id, 32)}
          </span>{" "}
          <span className="soft">
            <Time at={swap.at} />, holding {quantity(swap.position)}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** The words of an event: its reason where it has one, else what it tells. */
export function eventWords({ details }: LiveEvent): string {
  if (typeof details.reason === "string") return details.reason;
  const parts = Object.entries(details).filter(([, value]) => value !== null && typeof value !== "object");
  return parts.map(([key, value]) => `${key} ${String(value)}`).join(", ");
}

function Events({ events }: { events: LiveEvent[] }) {
  if (events.length === 0)
    return <Empty title="Nothing happened">Pauses, halts and warnings appear here.</Empty>;
  return (
    <ul className="list small">
      {newest(events).map((event) => (
        <li key={event.number}>
          <strong>{words(event.kind)}</strong> {eventWords(event)}{" "}
          <span className="soft">
            <Time at={event.at} />
          </span>
        </li>
      ))}
    </ul>
  );
}
