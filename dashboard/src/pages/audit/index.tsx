import { type FormEvent, useState } from "react";
import type { Act, Chain } from "../../api/types";
import { Action } from "../../components/actions";
import { Badge, Panel, Time } from "../../components/basics";
import { Older } from "../../components/older";
import { Empty, Shown } from "../../components/states";
import { flat, short, whole, words } from "../../lib/format";
import { useLoaded, useTitle } from "../../lib/hooks";
import { exported, olderActs, useActs, useChain } from "../../stores/audit";

/** Longest words that the server looks for. */
const MOST_SEARCH = 200;

/** What people did, and whether that record is as it was written. */
export default function AuditPage() {
  useTitle("Audit");
  const [search, setSearch] = useState("");
  const entry = useLoaded(useActs, search);
  return (
    <>
      <div className="head">
        <h1>Audit</h1>
        <Action label="Export" act={save} />
      </div>
      <ChainPanel />
      <Panel title="What people did" aside={<Search find={setSearch} />}>
        <Shown entry={entry} lines={6} again={() => void useActs.getState().load(search)}>
          {(page) =>
            page.rows.length === 0 ? (
              <Empty title={search ? `Nothing with "${search}"` : "Nobody has done anything yet"}>
                Approvals, rollbacks, pauses, kills and changes of settings are written down before they are
                done.
              </Empty>
            ) : (
              <>
                <Acts acts={page.rows} />
                <Older page={page} more={() => olderActs(search)} />
              </>
            )
          }
        </Shown>
      </Panel>
    </>
  );
}

/** Hands the person a file of all acts. */
async function save() {
  const { text, isCut } = await exported();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  link.download = "audit.jsonl";
  link.click();
  URL.revokeObjectURL(link.href);
  if (isCut) throw new Error("The file has the newest 100,000 acts: `orchestrate audit export` has all.");
}

function Search({ find }: { find: (words: string) => void }) {
  const [typed, setTyped] = useState("");
  const send = (event: FormEvent) => {
    event.preventDefault();
    find(typed.trim());
  };
  return (
    <form className="row" onSubmit={send}>
      <input
        type="search"
        aria-label="Words in who, what, to what or why"
        placeholder="who, what, why"
        maxLength={MOST_SEARCH}
        style={{ width: "auto", maxWidth: "100%" }}
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          if (event.target.value === "") find("");
        }}
      />
      <button type="submit">Find</button>
    </form>
  );
}

function ChainPanel() {
  const entry = useLoaded(useChain, "all");
  const again = async () => {
    await useChain.getState().load("all");
  };
  return (
    <Panel title="Chain of hashes" aside={<Action label="Check again" act={again} />}>
      <Shown entry={entry} lines={2} again={() => void again()}>
        {(chain) => <ChainState chain={chain} />}
      </Shown>
    </Panel>
  );
}

function ChainState({ chain }: { chain: Chain }) {
  if (!chain.whole)
    return (
      <p className="bad" role="alert">
        Act {whole(chain.broken_at)} is not as it was written, or one before it was taken out. What stands
        before it is whole.
      </p>
    );
  return (
    <>
      <p>
        <span className="good" aria-hidden="true">
          ✓
        </span>{" "}
        {chain.acts === 0
          ? "There is nothing to check yet."
          : `All ${whole(chain.acts)} acts are as they were written.`}
      </p>
      {chain.last_hash && (
        <p className="small soft">
          Newest hash <span className="mono">{chain.last_hash}</span>: kept elsewhere, it shows whether the
          end was cut off.
        </p>
      )}
    </>
  );
}

function Acts({ acts }: { acts: Act[] }) {
  return (
    <div className="scroll">
      <table className="stack">
        <thead>
          <tr>
            <th className="number">Act</th>
            <th>When</th>
            <th>Who</th>
            <th>What</th>
            <th>To what</th>
            <th>Why</th>
            <th>Details</th>
          </tr>
        </thead>
        <tbody>
          {acts.map((act) => (
            <Row key={act.seq} act={act} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ act }: { act: Act }) {
  const details = flat(act.details);
  return (
    <tr>
      <td className="number" data-label="Act" title={act.hash}>
        {whole(act.seq)}
      </td>
      <td data-label="When">
        <Time at={act.time} />
      </td>
      <td data-label="Who">{act.actor}</td>
      <td data-label="What">
        {act.act === "refused" ? (
          <Badge status="refused" tone="bad" />
        ) : (
          <span className="mono small">{act.act}</span>
        )}
      </td>
      <td data-label="To what">
        <span className="mono small">{act.subject}</span>
      </td>
      <td data-label="Why" data-empty={act.reason === ""}>
        {act.reason}
      </td>
      <td data-label="Details" data-empty={details.length === 0}>
        {details.length > 0 && (
          <details>
            <summary>{details.length === 1 ? "1 value" : `${details.length} values`}</summary>
            <dl className="figures">
              {details.map(([name, value]) => (
                <div key={name}>
                  <dt>{words(name)}</dt>
                  <dd>{short(value, 200)}</dd>
                </div>
              ))}
            </dl>
          </details>
        )}
      </td>
    </tr>
  );
}
