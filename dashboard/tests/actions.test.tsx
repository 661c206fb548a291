import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../src/api/client";
import { Action } from "../src/components/actions";

afterEach(cleanup);

const submit = () => document.querySelector<HTMLButtonElement>("dialog button[type=submit]");

describe("an action", () => {
  it("that needs a reason is not done before one is given, and hands it over as one line", async () => {
    const act = vi.fn(async () => undefined);
    render(<Action label="Kill" reason confirm={<p>Trading halts.</p>} act={act} />);
    fireEvent.click(screen.getByText("Kill"));
    expect(screen.getByText("Trading halts.")).toBeTruthy();
    expect(submit()?.disabled).toBe(true);
    fireEvent.change(screen.getByLabelText(/Reason/), { target: { value: "  \n " } });
    expect(submit()?.disabled).toBe(true);
    fireEvent.change(screen.getByLabelText(/Reason/), { target: { value: " the feed\nis wrong " } });
    fireEvent.submit(document.querySelector("dialog form") as HTMLFormElement);
    await waitFor(() => expect(act).toHaveBeenCalledExactlyOnceWith("the feed is wrong"));
    await waitFor(() => expect(document.querySelector("dialog")).toBeNull());
  });

  it("that is refused says why and can be tried again", async () => {
    const act = vi.fn(async () => {
      throw new ApiError(409, "No", "a cycle is running");
    });
    render(<Action label="Trigger" act={act} />);
    const button = screen.getByText<HTMLButtonElement>("Trigger");
    fireEvent.click(button);
    await waitFor(() => expect(screen.getByRole("alert").textContent).toBe("a cycle is running"));
    expect(button.disabled).toBe(false);
  });

  it("that was thought better of is not done", () => {
    const act = vi.fn(async () => undefined);
    render(<Action label="Stop" confirm={<p>It stops.</p>} act={act} />);
    fireEvent.click(screen.getByText("Stop"));
    fireEvent.click(screen.getByText("Leave it"));
    expect([document.querySelector("dialog"), act.mock.calls.length]).toEqual([null, 0]);
  });
});
