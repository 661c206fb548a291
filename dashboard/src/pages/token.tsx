import { useState } from "react";
import { useTitle } from "../lib/hooks";
import { tokenOf, useAuth } from "../stores/auth";

/** What is shown when the server wants a token, or no longer takes the one that is known. */
export function TokenPage() {
  useTitle("Token");
  const { token, take } = useAuth();
  const [text, setText] = useState("");
  const given = tokenOf(text.slice(text.indexOf("#") + 1)) ?? text.trim();
  return (
    <div className="alone">
      <h1>{token ? "This link has expired" : "A token is needed"}</h1>
      <p>
        {token
          ? "The server no longer takes the token that this browser has kept."
          : "The server shows this page to everybody, and what it knows to those with a token."}
      </p>
      <ol className="list">
        <li>
          1. Open the link that <code>orchestrate serve</code> printed when it made its tokens.
        </li>
        <li>
          2. Or take the token of scope <code>trade</code> (or <code>read</code>, to look only) from the file{" "}
          <code>api-tokens.json</code> in the server's data folder, and give it here.
        </li>
        <li>
          3. Lost or leaked? Delete that file and start the server again: it makes new tokens and prints a new
          link.
        </li>
      </ol>
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          if (given) take(given);
        }}
      >
        <label className="field" style={{ flex: "1 1 260px" }}>
          Token, or the whole link
          <input
            type="password"
            autoComplete="off"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <button type="submit" className="is-main" style={{ alignSelf: "end" }} disabled={!given}>
          Open
        </button>
      </form>
    </div>
  );
}
