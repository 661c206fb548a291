// Made from openapi.json by `npm run types`. Do not edit.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description Something that somebody did, or asked for: an act is written down before it is done, and `refused` behind it when it was
         *     not.
         */
        ActView: {
            /**
             * @description What: a command, or a method and a route.
             * @example POST /api/schedules/{id}/{verb}
             */
            act: string;
            /**
             * @description Who: `command`, `interface:trade`.
             * @example interface:trade
             */
            actor: string;
            /** @description More about it, by name. */
            details: Record<string, never>;
            /** @description SHA-256 over `previous` and all else, lower-case hex. */
            hash: string;
            /** @description The hash of the act before it; empty of the first. */
            previous: string;
            /** @description Why, as the person said. */
            reason: string;
            /**
             * Format: int64
             * @description Its number, from 1 without gaps.
             */
            seq: number;
            /**
             * @description To what.
             * @example schedules/btc/stop
             */
            subject: string;
            /**
             * Format: date-time
             * @description When.
             */
            time: string;
        };
        /** @description What people did. */
        Acts: {
            /** @description Newest first. */
            acts: components["schemas"]["ActView"][];
            /**
             * Format: int64
             * @description What `before` has to be for the next page; none when there is no more.
             */
            next_before?: number | null;
        };
        /** @description What there is. */
        AllData: {
            /** @description The newest window of each source, symbol and timeframe, newest first; at most 100. */
            data: components["schemas"]["DataView"][];
            /** @description Whether there are older ones that were not looked at. */
            has_older: boolean;
            /** @description Records of runs that were looked at, the newest. */
            looked_at: number;
            /** @description How many of them can't be read. */
            unreadable: number;
        };
        /** @description Bars of a session. */
        Bars: {
            /** @description In order. */
            bars: components["schemas"]["LiveBarView"][];
            /**
             * Format: int64
             * @description What `after` has to be for the next page; none when there is no more yet.
             */
            next_after?: number | null;
        };
        /** @description Whether the record of acts is as it was written. */
        Chain: {
            /**
             * Format: int64
             * @description Acts that were looked at: all of them.
             */
            acts: number;
            /**
             * Format: int64
             * @description The first act that was changed, put between, or stands behind one that was taken out; none where all is well.
             */
            broken_at?: number | null;
            /** @description The newest act's hash: kept elsewhere, it shows whether the end was cut off. */
            last_hash: string;
            /** @description Whether each has the hash of the one before it, and its own. */
            whole: boolean;
        };
        /** @description A model of another arm, beside the one that trades. */
        ChallengerView: {
            /** @description Its arm: how far the evidence for it has come is under this id in `/api/lines/{line}/evidence`. */
            arm: string;
            /**
             * Format: int64
             * @description Bars that count: those on which the champion could be run too.
             */
            bars: number;
            /**
             * Format: double
             * @description Return over the same bars of whoever was champion, in such a ledger.
             */
            champion_return: number;
            /** @description The arm's newest model, which decides now. */
            model_id: string;
            /**
             * Format: double
             * @description Its position at the last close as a fraction of equity; below zero when short.
             */
            position?: number | null;
            /** @description Why it gave no answer at the last close; none where it did, or was not asked. */
            problem?: string | null;
            /**
             * Format: date-time
             * @description Start of the first bar that counts; none before one does.
             */
            since?: string | null;
            /**
             * Format: double
             * @description Return of its paper ledger over them, as a fraction. Newer models of its arm go on with it.
             */
            total_return: number;
        };
        /** @description A line's champion. */
        ChampionView: {
            /**
             * @description How far the evidence for its arm carries: `provisional`, `screened` or `qualified`; none under rules that know no
             *     arms.
             */
            grade?: string | null;
            /** @description What it measured, by name. */
            metrics: Record<string, never>;
            /** @description The model. */
            model_id: string;
            /** @description The rules that promoted it. */
            preset: string;
            /**
             * Format: date-time
             * @description Since when.
             */
            promoted_at: string;
            /**
             * Format: int64
             * @description The number of the line's last change.
             */
            sequence: number;
            /** @description What it trades. */
            symbol: string;
            /** @description Length of the bars that it decides on. */
            timeframe: string;
            /** @description Whether its weights are there and are those that were promoted. */
            weights_sound: boolean;
        };
        /** @description A condition of a gate. */
        CheckView: {
            /** @description How it is compared. */
            comparison: string;
            /** @description What it came to. */
            judgement: string;
            /**
             * Format: double
             * @description What was measured; none when undefined.
             */
            measured?: number | null;
            /**
             * @description Its name, as in the metrics.
             * @example winRate
             */
            name: string;
            /** @description The same in words. */
            sentence: string;
            /**
             * Format: double
             * @description With what.
             */
            threshold: number;
        };
        /** @description Which bars of a window are there. */
        CoverageView: {
            /** @description All holes, those that are not listed too. */
            hole_count: number;
            /** @description The longest holes, at most 200, in order of time. */
            holes: components["schemas"]["HoleView"][];
            /** @description The window in at most 120 stretches, in order. */
            stretches: components["schemas"]["StretchView"][];
        };
        /** @description Which cycle. */
        CycleNameView: {
            /**
             * Format: int64
             * @description Its number.
             */
            cycle_number: number;
            /** @description Its schedule. */
            schedule_id: string;
        };
        /** @description A cycle of a schedule. */
        CycleView: {
            /**
             * Format: int64
             * @description Its number in its schedule, from 1 without gaps.
             */
            cycle_number: number;
            /** @description Whether its model became the champion, at once or by a later approval. */
            deployed: boolean;
            /**
             * Format: date-time
             * @description When it was due.
             */
            due_at: string;
            /** @description The record of its training. */
            experiment_id?: string | null;
            /**
             * Format: date-time
             * @description When it got its final status.
             */
            finished_at?: string | null;
            /** @description What was measured of its model, by name; none where nothing was. */
            metrics?: Record<string, never> | null;
            /** @description The model that it made. */
            model_id?: string | null;
            /** @description The model that its training continued from. */
            parent_model_id?: string | null;
            /** @description Why it has this status, in words. */
            reason?: string | null;
            /** @description Its run. */
            run_id?: string | null;
            /** @description Its schedule. */
            schedule_id: string;
            /**
             * Format: date-time
             * @description When it began to run.
             */
            started_at?: string | null;
            /**
             * @description How far it has come: `queued`, `running`, `promoted`, `rejected`, `inconclusive`, `held`, `skipped`, `missed`,
             *     `failed`, `cancelled` or `interrupted`.
             */
            status: string;
            /** @description Why it exists: `due`, `manual` or `catch_up`. */
            trigger: string;
            verdict?: components["schemas"]["VerdictView"] | null;
            /**
             * Format: date-time
             * @description End of the last one, hold-out included.
             */
            window_end?: string | null;
            /**
             * Format: date-time
             * @description Open of the first bar that it trains on.
             */
            window_start?: string | null;
        };
        /** @description Cycles of a schedule. */
        Cycles: {
            /** @description Newest first. */
            cycles: components["schemas"]["CycleView"][];
            /**
             * Format: int64
             * @description What `before` has to be for the next page; none when there is no more.
             */
            next_before?: number | null;
        };
        /** @description All that is known of a window. */
        DataDetailView: components["schemas"]["DataView"] & {
            coverage?: components["schemas"]["CoverageView"] | null;
            file?: components["schemas"]["FiguresView"] | null;
            /** @description Rows of the file that are no bar, the first of them. */
            rejected: components["schemas"]["RejectedView"][];
        };
        /** @description A window of bars that a run was made from. */
        DataView: {
            /** @description Bars that the market's calendar expects in the window. */
            bars: number;
            /**
             * Format: date-time
             * @description When they were read.
             */
            collected_at: string;
            /** @description Figures about the window. */
            figures: components["schemas"]["FiguresView"];
            /**
             * Format: date-time
             * @description Start of the window's first bar.
             */
            from: string;
            /** @description Bars before it that feed features. */
            history_bars: number;
            /**
             * @description The run that it was read for; the id under which `/api/data/{id}` tells more.
             * @example 2024-01-01T00-00-00-000Z
             */
            run_id: string;
            /** @description SHA-256 of the dataset, lower-case hex. */
            sha256: string;
            /**
             * @description What the bars were read from.
             * @example synthetic, seed 7
             */
            source: string;
            /**
             * Format: date-time
             * @description Start of the hold-out, on which the run's model was judged.
             */
            split: string;
            /**
             * @description What is traded.
             * @example BTC/USD
             */
            symbol: string;
            /**
             * @description Length of the bars.
             * @example 1h
             */
            timeframe: string;
            /**
             * Format: date-time
             * @description Close of its last bar.
             */
            to: string;
        };
        /** @description What a dataset configuration is to be. */
        DatasetContent: {
            /** @description What it is for. */
            description?: string;
            /** @description The features, a list as in the settings; default: the usual ones. */
            features?: Record<string, never>[];
            /**
             * @description Its name for people; no other configuration has it.
             * @example Mine
             */
            name: string;
            /** @description Settings by section: `data`, `market`, `alpaca`, `costs`. */
            source_config?: Record<string, never>;
            /**
             * @description Kind of its source, as the setting `data.source`.
             * @example synthetic
             */
            source_type: string;
            /** @description How the window is cut, by keys of the section `data`. */
            split_config?: Record<string, never>;
        };
        /** @description A dataset configuration: where a training's bars come from, and what is made of them. */
        DatasetView: {
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /** @description What it is for. */
            description: string;
            /** @description The features, a list as in the settings; empty for the default ones. */
            features: Record<string, never>[];
            /** @description Its id. */
            id: string;
            /** @description Its name for people; no other configuration has it. */
            name: string;
            /** @description Settings by section. */
            source_config: Record<string, never>;
            /** @description Kind of its source, as the setting `data.source`. */
            source_type: string;
            /** @description How the window is cut, by keys of the section `data`. */
            split_config: Record<string, never>;
            /**
             * Format: date-time
             * @description When it last changed.
             */
            updated_at: string;
        };
        /** @description All dataset configurations. */
        Datasets: {
            /** @description In the order of their ids, at most 1000. */
            datasets: components["schemas"]["DatasetView"][];
        };
        /** @description That somebody said no to a model which a gate had let through. */
        DeclinedView: {
            /**
             * Format: date-time
             * @description When.
             */
            at: string;
            /** @description Why. */
            reason: string;
        };
        /** @description Something that happened. */
        EventView: {
            /** @description More about it, by name. */
            data: Record<string, never>;
            /**
             * Format: int64
             * @description Its number; later events have larger ones.
             */
            seq: number;
            /**
             * Format: date-time
             * @description When.
             */
            time: string;
            /**
             * @description What, in one word.
             * @example model_promoted
             */
            type: string;
        };
        /** @description Events. */
        Events: {
            /** @description In order. The newest 10,000 are kept; a first number that is not the one behind `after` means that some are gone. */
            events: components["schemas"]["EventView"][];
            /**
             * Format: int64
             * @description What `after` has to be for the next page; none when there is no more yet.
             */
            next_after?: number | null;
        };
        /** @description How far the evidence of a line has come. */
        Evidence: {
            /**
             * @description Its arms, newest first: `arm` (its id), `line`, `trades` (whether it has the champion), `grade`, `reachedByLuck`
             *     (what the grade is worth, in words), `sentence`, `tests`, `snapshots`, `registeredAt`, `quarantine` (`until`,
             *     `sentence`; left out outside), `lineTests` and `judged`: the newest verdict with `model`, `publishedAt`, `sentence` and
             *     `grading`, whose `meter` has each figure beside its limit.
             */
            arms: Record<string, never>[];
        };
        /** @description The record of a training. */
        ExperimentView: {
            /**
             * Format: date-time
             * @description When it ended, however it did.
             */
            completed_at?: string | null;
            /** @description All that it is made with. */
            config: Record<string, never>;
            /**
             * Format: date-time
             * @description When it was asked for.
             */
            created_at: string;
            /**
             * Format: int64
             * @description The number of that cycle.
             */
            cycle_number?: number | null;
            /** @description Why it did not complete. */
            error?: string | null;
            /** @description Its id. */
            experiment_id: string;
            /** @description What it came to; empty before its end. */
            final_metrics: Record<string, never>;
            /** @description The line of its model. */
            line: string;
            /** @description The model that it made. */
            model_id?: string | null;
            /** @description Its name for people. */
            name: string;
            /** @description Its run. */
            run_id?: string | null;
            /** @description The schedule whose cycle it is. */
            schedule_id?: string | null;
            /** @description What asked for it, such as `schedule`, `run` or `api`. */
            script: string;
            /**
             * Format: date-time
             * @description When it began.
             */
            started_at?: string | null;
            /** @description How far it has come: `pending`, `running`, `completed`, `failed`, `cancelled`, `interrupted` or `pruned`. */
            status: string;
            /** @description Words to find it by. */
            tags: string[];
        };
        /** @description Experiments. */
        Experiments: {
            /** @description Newest first. */
            experiments: components["schemas"]["ExperimentView"][];
            /** @description What `before` has to be for the next page; none when there is no more. */
            next_before?: string | null;
        };
        /** @description Figures about a stretch of bars. */
        FiguresView: {
            /** @description Rows whose start stood in the file before. */
            duplicates: number;
            /** @description Shorter bars that are expected; 0 where they were not made of shorter ones. */
            expected_base_bars: number;
            /**
             * Format: date-time
             * @description Start of the first of them.
             */
            first_bar?: string | null;
            /** @description Bars whose four prices are the same. */
            flat: number;
            /**
             * Format: date-time
             * @description Start of the last of them.
             */
            last_bar?: string | null;
            /** @description Missing bars in the longest hole. */
            longest_hole_bars: number;
            /** @description Expected bars that are not there and should be. */
            missing: number;
            /** @description Shorter bars that are missing, also inside bars that are there; 0 where they were not made of shorter ones. */
            missing_base_bars: number;
            /**
             * Format: double
             * @description Share of the expected bars that are missing, 0 to 1; of bars made of shorter ones the share of those.
             */
            missing_share: number;
            /** @description Expected bars that are not there because nothing traded. */
            no_trade: number;
            /** @description Rows that stand out of the file's order. */
            out_of_order: number;
            /** @description Bars left out because the market was closed. */
            outside_session: number;
            /** @description Rows that are no bar. */
            rejected: number;
            /** @description Bars that the source has changed since they were first learnt. */
            revised: number;
            /** @description Rows that the source gave. */
            rows: number;
            /** @description Bars left out because they had not closed. */
            unfinished: number;
            /** @description Whether the file's last line has no end, so that its last number may be cut short. */
            unterminated_last_line: boolean;
            /** @description Bars in which nothing traded although they are there. */
            zero_volume: number;
        };
        /** @description Fills of a session. */
        Fills: {
            /** @description In order. */
            fills: components["schemas"]["LiveFillView"][];
            /**
             * Format: int64
             * @description What `after` has to be for the next page; none when there is no more yet.
             */
            next_after?: number | null;
        };
        /** @description The rules by which models are judged. */
        Gates: {
            /** @description Whether a metrics file may promote more than one model. */
            allow_reused_metrics: boolean;
            /** @description Whether a model that may trade is promoted at once; with false it waits for an approval. */
            auto_deploy: boolean;
            /**
             * @description Every limit of both rules by its key in the settings file.
             * @example {
             *       "gate.min_win_rate": "0.55"
             *     }
             */
            limits: {
                [key: string]: string;
            };
            /**
             * @description The rules of a schedule that sets none: `evidence` or `thresholds`.
             * @example evidence
             */
            preset: string;
        };
        /** @description That the server answers. */
        Health: {
            /**
             * @description Always `ok`.
             * @example ok
             */
            status: string;
            /**
             * @description The program's version.
             * @example 0.1.0
             */
            version: string;
        };
        /** @description A model that waits for approval. */
        HeldView: {
            /** @description Whether that one is still champion, so that the verdict holds and it can be approved. */
            approvable: boolean;
            /** @description The champion that it was compared with; none when its line had none. */
            compared_with?: string | null;
            /** @description The model. */
            model_id: string;
        };
        /** @description Cycles of a schedule. */
        History: {
            /** @description The cycles, newest first. */
            cycles: components["schemas"]["CycleView"][];
            /**
             * Format: int64
             * @description What `before` has to be for the next page; none when there is no more.
             */
            next_before?: number | null;
            /** @description Id of the schedule. */
            schedule_id: string;
        };
        /** @description Missing bars in a row. */
        HoleView: {
            /** @description Missing bars. */
            bars: number;
            /**
             * Format: date-time
             * @description Start of the first missing bar.
             */
            from: string;
            /**
             * Format: date-time
             * @description Close of the last one.
             */
            to: string;
        };
        /** @description One iteration of a training. */
        IterationView: {
            /**
             * Format: int64
             * @description Its number, as the trainer counts.
             */
            iteration: number;
            /** @description What was measured, by name. */
            metrics: Record<string, never>;
            /**
             * Format: date-time
             * @description When.
             */
            time: string;
        };
        /** @description Iterations of an experiment. */
        Iterations: {
            /** @description In order. */
            iterations: components["schemas"]["IterationView"][];
            /**
             * Format: int64
             * @description What `after` has to be for the next page; none when there is no more yet.
             */
            next_after?: number | null;
        };
        /** @description A training that somebody wants. What is left out is as the server's settings say. */
        LaunchTraining: {
            /** @description Stored dataset configuration. */
            dataset_id?: string | null;
            /** @description Stored hyperparameter pack. */
            hp_pack_id?: string | null;
            /** @description Id of the new experiment; default: made from the time. */
            id?: string | null;
            /** @description Line of its model; default: the server's. */
            line?: string | null;
            /** @description Name for people; default: the id. */
            name?: string | null;
            /**
             * @description Settings by their key, as in the settings file.
             * @example {
             *       "training.iterations": "20"
             *     }
             */
            settings?: {
                [key: string]: string;
            };
            /** @description Words to find it by. */
            tags?: string[];
        };
        /** @description A line: who trades, who waits, what trains it. */
        LineView: {
            champion?: components["schemas"]["ChampionView"] | null;
            /** @description Models that wait for approval, newest first, at most 1000. */
            held: components["schemas"]["HeldView"][];
            /** @description Its name. */
            line: string;
            /** @description Whether a pointer is there that can't be trusted: the server's log says why. */
            pointer_damaged: boolean;
            /** @description Ids of the schedules that train it. */
            schedules: string[];
        };
        /** @description All lines. */
        Lines: {
            /** @description By name, at most 1000. */
            lines: components["schemas"]["LineView"][];
        };
        /** @description A bar of a session. */
        LiveBarView: {
            /**
             * Format: int32
             * @description What the model decided, as its number; none where it did not.
             */
            action?: number | null;
            /**
             * Format: double
             * @description Quote currency at hand.
             */
            cash: number;
            /**
             * Format: double
             * @description Close price.
             */
            close: number;
            /**
             * Format: double
             * @description Cash and position at the close, quote currency.
             */
            equity: number;
            /**
             * Format: double
             * @description Highest price; none where `open` is.
             */
            high?: number | null;
            /**
             * Format: double
             * @description Lowest price; none where `open` is.
             */
            low?: number | null;
            /** @description Whether it was too late to be decided. */
            missed: boolean;
            /** @description What the session may do from then on: `active`, `reduce_only` or `halted`. */
            mode: string;
            /**
             * Format: int64
             * @description The number of the model that decided.
             */
            model_version?: number | null;
            /**
             * Format: int64
             * @description Its number in the session, from 1.
             */
            number: number;
            /**
             * Format: double
             * @description First price; none in a row that was carried over by a version that kept closes alone.
             */
            open?: number | null;
            /**
             * Format: date-time
             * @description Start of the bar.
             */
            open_time: string;
            /**
             * Format: double
             * @description Amount of the asset held; below zero when short.
             */
            position: number;
            /**
             * Format: double
             * @description Traded amount of the asset; none where `open` is.
             */
            volume?: number | null;
        };
        /** @description Something else that happened in a session. */
        LiveEventView: {
            /**
             * Format: date-time
             * @description When.
             */
            at: string;
            /** @description More about it, by name. */
            details: Record<string, never>;
            /** @description A word for it. */
            kind: string;
            /** @description What the session may do from then on, where that changed: `active`, `reduce_only` or `halted`. */
            mode?: string | null;
            /**
             * Format: int64
             * @description Its number in the session, from 1.
             */
            number: number;
        };
        /** @description A fill of a session. */
        LiveFillView: {
            /**
             * Format: double
             * @description The price that the cost model expected.
             */
            expected_price?: number | null;
            /**
             * Format: double
             * @description Fee taken in quote currency.
             */
            fee_cash: number;
            /**
             * Format: double
             * @description Fee taken in the asset.
             */
            fee_quantity: number;
            /**
             * Format: int64
             * @description The number of the model that wanted it.
             */
            model_version?: number | null;
            /**
             * Format: int64
             * @description Its number in the session, from 1.
             */
            number: number;
            /** @description The order's name at the venue; none on paper. */
            order_id?: string | null;
            /**
             * Format: double
             * @description Price paid or received, slippage included.
             */
            price: number;
            /**
             * Format: double
             * @description Amount of the asset that changed hands, above zero, before any fee.
             */
            quantity: number;
            /** @description Its direction: `buy` or `sell`. */
            side: string;
            /**
             * Format: date-time
             * @description When.
             */
            time: string;
        };
        /** @description From the next bar on another model decides. */
        LiveSwapView: {
            /**
             * Format: date-time
             * @description When.
             */
            at: string;
            /** @description The model before; none for the first. */
            from_model_id?: string | null;
            /** @description The model from now on. */
            model: components["schemas"]["SessionModelView"];
            /**
             * Format: int64
             * @description Its number in the session, from 1.
             */
            number: number;
            /**
             * Format: double
             * @description Amount of the asset held at that moment.
             */
            position: number;
        };
        /** @description The model that decides in a running session. */
        LoadedModelView: {
            /**
             * Format: date-time
             * @description When a cycle last measured it and kept or promoted it.
             */
            confirmed_at?: string | null;
            /** @description What the line's pointer says of it: `provisional`, `screened` or `qualified`. */
            grade?: string | null;
            /** @description Its name. */
            model_id: string;
            /**
             * Format: int64
             * @description Its number in the session, from 1.
             */
            model_version: number;
            /** @description SHA-256 of its weights, lower-case hex. */
            sha256: string;
            /**
             * Format: date-time
             * @description Close of the last bar that it has learned from.
             */
            trained_until?: string | null;
        };
        /** @description All that is known of a model. */
        ModelDetailView: {
            /** @description Its parent, that one's parent and so on, at most 1000. */
            ancestors: string[];
            /** @description Version of the program that made it. */
            code_version: string;
            /** @description What that champion measured on the same bars. */
            compared_metrics?: Record<string, never> | null;
            /** @description The champion that it was compared with. */
            compared_with?: string | null;
            cycle?: components["schemas"]["CycleNameView"] | null;
            /** @description Fingerprint of its dataset. */
            dataset_hash: string;
            declined?: components["schemas"]["DeclinedView"] | null;
            /** @description Its hyperparameters. */
            hyperparameters: Record<string, never>;
            /**
             * Format: int64
             * @description Iterations of its training.
             */
            iterations: number;
            /**
             * Format: date-time
             * @description Close of the last bar that it or any ancestor has seen.
             */
            lineage_until: string;
            /** @description What was measured of it, by name; none before. */
            metrics?: Record<string, never> | null;
            /** @description The model at a glance. */
            model: components["schemas"]["ModelView"];
            pin?: components["schemas"]["PinView"] | null;
            /** @description When it became champion or ceased to be, oldest first; the newest 1000 changes. */
            promotions: components["schemas"]["PromotionView"][];
            /** @description The run that made it. */
            run_id: string;
            /**
             * Format: int64
             * @description Where all its randomness came from.
             */
            seed: number;
            /** @description SHA-256 of its weights, lower-case hex. */
            sha256: string;
            /** @description What it trades. */
            symbol: string;
            /** @description Length of the bars that it decides on. */
            timeframe: string;
            /**
             * Format: date-time
             * @description Close of the last bar that it was trained on.
             */
            trained_until: string;
            /** @description What trained it. */
            trainer: string;
            verdict?: components["schemas"]["VerdictView"] | null;
            /**
             * Format: int64
             * @description Size of its weights, bytes; 0 when they are gone.
             */
            weights_bytes: number;
            /** @description Whether its weights are there and are those of its record. */
            weights_sound: boolean;
        };
        /** @description A model at a glance. */
        ModelView: {
            /** @description Whether it is its line's champion. */
            champion: boolean;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /** @description Whether it waits for approval. */
            held: boolean;
            /** @description Its line. */
            line: string;
            /** @description Its name. */
            model_id: string;
            /** @description The model that its training continued from. */
            parent_model_id?: string | null;
            /** @description Why it is pinned; none when it is not. */
            pinned?: string | null;
            /**
             * Format: date-time
             * @description When it last became champion.
             */
            promoted_at?: string | null;
            /** @description How far it has come: `trained`, `evaluated`, `promoted`, `rejected` or `inconclusive`. */
            status: string;
            /**
             * Format: date-time
             * @description When its weights were taken away; none while they are kept.
             */
            weights_removed_at?: string | null;
        };
        /** @description Models. */
        Models: {
            /** @description Newest first. */
            models: components["schemas"]["ModelView"][];
            /** @description What `before` has to be for the next page; none when there is no more. */
            next_before?: string | null;
        };
        /**
         * @description A schedule that somebody wants: the fields of a start of continuous training, and how it is called. What is left out
         *     is as the server's settings say.
         */
        NewContinuous: {
            /** @description Whether a model that may trade is promoted; with false it is held for an approval. */
            auto_deploy?: boolean | null;
            /** @description Completed training that the first cycle continues from; default: the first cycle trains one. */
            base_experiment_id?: string | null;
            /**
             * @description Due times as a cron expression of five fields, UTC unless `zone` says otherwise.
             * @example 0 *\/6 * * *
             */
            cron?: string | null;
            /** @description Stored dataset configuration. */
            dataset_id?: string | null;
            /**
             * Format: double
             * @description What the learning rate is multiplied with where a cycle continues from a checkpoint, 0 to 1.
             * @example 0.2
             */
            fine_tune_lr_multiplier?: number | null;
            /** @description Stored hyperparameter pack. */
            hp_pack_id?: string | null;
            /**
             * @description Id of the new schedule: lower-case letters, digits, `-`, `_`; default: made from symbol and timeframe.
             * @example btc
             */
            id?: string | null;
            /**
             * Format: double
             * @description Hours between two cycles, above 0; one of `interval_hours` and `cron`.
             * @example 6
             */
            interval_hours?: number | null;
            /**
             * Format: int64
             * @description PPO iterations of a cycle.
             * @example 10
             */
            iterations_per_cycle?: number | null;
            /**
             * @description Line of its models; default: the server's.
             * @example default
             */
            line?: string | null;
            /** @description Name for people; default: the id. */
            name?: string | null;
            /** @description Which rules judge: `evidence` or `thresholds`. */
            preset?: string | null;
            /**
             * @description More settings by their key, as in the settings file.
             * @example {
             *       "data.source": "alpaca"
             *     }
             */
            settings?: {
                [key: string]: string;
            };
            /**
             * @description What is traded.
             * @example BTC/USD
             */
            symbol?: string | null;
            /**
             * @description Length of a bar.
             * @example 1h
             */
            timeframe?: string | null;
            /**
             * Format: int64
             * @description Bars in the rolling window, hold-out included.
             * @example 8760
             */
            window_candles?: number | null;
            /** @description Time zone of `cron`, an IANA name. */
            zone?: string | null;
        };
        /** @description What a pack is to be. */
        PackContent: {
            /** @description The hyperparameters by name, as the trainer knows them. */
            config: Record<string, never>;
            /** @description What it is for. */
            description?: string;
            /**
             * @description Its name for people; no other pack has it.
             * @example Mine
             */
            name: string;
        };
        /** @description A hyperparameter pack. */
        PackView: {
            /** @description The hyperparameters by name. */
            config: Record<string, never>;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /** @description What it is for. */
            description: string;
            /** @description Its id. */
            id: string;
            /** @description Its name for people; no other pack has it. */
            name: string;
            /**
             * Format: date-time
             * @description When it last changed.
             */
            updated_at: string;
        };
        /** @description All packs. */
        Packs: {
            /** @description In the order of their ids, at most 1000. */
            packs: components["schemas"]["PackView"][];
        };
        /** @description That a model is kept. */
        PinView: {
            /**
             * Format: date-time
             * @description Since when.
             */
            at: string;
            /** @description Why. */
            reason: string;
        };
        /** @description How far a training has come. */
        ProgressView: {
            /**
             * Format: int64
             * @description Number of the cycle.
             */
            cycle_number: number;
            /**
             * Format: double
             * @description How long the rest should take, seconds; none while unknown.
             */
            eta_seconds?: number | null;
            /**
             * Format: int64
             * @description Units of work done, of a training its iterations.
             */
            iteration: number;
            /** @description A few words for a person. */
            message: string;
            /** @description What it is at: `etl`, `train`, `evaluate` or `promote`. */
            stage: string;
            /**
             * Format: int64
             * @description Units of work in all; 0 while unknown.
             */
            total_iterations: number;
        };
        /** @description Who is champion now. */
        PromotedView: {
            /** @description The champion before. */
            from_model_id?: string | null;
            /**
             * @description How far the evidence for its arm carries: `provisional`, `screened` or `qualified`; none under rules that know no
             *     arms.
             */
            grade?: string | null;
            /** @description The line. */
            line: string;
            /**
             * Format: int64
             * @description The number of the change in its line.
             */
            sequence: number;
            /** @description The champion now. */
            to_model_id: string;
        };
        /** @description A change of champion. */
        PromotionView: {
            /**
             * Format: date-time
             * @description When it happened.
             */
            committed_at?: string | null;
            /**
             * Format: date-time
             * @description When it was announced.
             */
            created_at: string;
            /** @description The champion before. */
            from_model_id?: string | null;
            /** @description Why it changed: `promote`, `rollback` or `adopted`. */
            kind: string;
            /** @description Why, in words. */
            reason: string;
            /**
             * Format: int64
             * @description Its number in its line, from 1.
             */
            sequence: number;
            /** @description How far it has come: `pending`, `committed` or `aborted`. */
            state: string;
            /** @description The champion after; none when somebody took the pointer away. */
            to_model_id?: string | null;
        };
        /** @description Changes of a line's champion. */
        Promotions: {
            /**
             * Format: int64
             * @description What `before` has to be for the next page; none when there is no more.
             */
            next_before?: number | null;
            /** @description Newest first. */
            promotions: components["schemas"]["PromotionView"][];
        };
        /** @description A row of a file that is no bar. */
        RejectedView: {
            /**
             * Format: int64
             * @description Line in the file, from 1.
             */
            line: number;
            /** @description What is wrong with it. */
            reason: string;
        };
        /** @description Why a session may do less than everything. */
        RestrictionView: {
            /** @description Whether it takes an acknowledgement to end it. */
            needs_acknowledgement: boolean;
            /** @description Why. */
            reason: string;
            /**
             * Format: date-time
             * @description Since when.
             */
            since: string;
            /**
             * Format: date-time
             * @description When it ends by itself; none until somebody ends it.
             */
            until?: string | null;
        };
        /** @description Where a rule stands. */
        RuleView: {
            /**
             * Format: double
             * @description What takes the champion back; none where the rule is off, because nothing is known from before.
             */
            limit?: number | null;
            /**
             * @description Which: `evidence` (the e-value against the champion, from bets on each bar's difference to the anchor), `drawdown` (the
             *     fall from the peak since the watch began, a fraction), `turnover` (of a day, as a multiple of equity) or `errors`
             *     (decisions in a row without an answer).
             * @example evidence
             */
            rule: string;
            /**
             * Format: double
             * @description What is measured now.
             */
            value: number;
        };
        /** @description What trains now. */
        Running: {
            /** @description Cycles of schedules that run. */
            cycles: number;
            /** @description Experiments without a schedule that run. */
            experiments: string[];
            /** @description Cycles that wait for a slot. */
            queued: number;
            /** @description Slots that are taken, by cycles and by experiments. */
            trainings: number;
        };
        /** @description A schedule, what it does now, and what it is made with. */
        ScheduleStatusView: {
            /** @description The training that its first cycle continues from. */
            base_experiment_id?: string | null;
            /** @description Its settings by key, as far as they were set for it. */
            config: Record<string, never>;
            /**
             * Format: int32
             * @description Cycles that failed since the last one that came to a verdict.
             */
            consecutive_failures: number;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /** @description What the next cycle continues from. */
            current_checkpoint_path?: string | null;
            /**
             * Format: int64
             * @description Number of its newest cycle; 0 before the first.
             */
            current_cycle: number;
            /** @description Stored dataset configuration. */
            dataset_id?: string | null;
            /** @description Why nothing is done for it, if so. */
            fault?: string | null;
            /** @description Stored hyperparameter pack. */
            hp_pack_id?: string | null;
            /**
             * Format: date-time
             * @description When its newest cycle was due.
             */
            last_cycle_at?: string | null;
            /** @description The line of its models. */
            line: string;
            /** @description Its name for people. */
            name: string;
            /**
             * Format: date-time
             * @description Its next due time.
             */
            next_cycle_at?: string | null;
            /**
             * Format: date-time
             * @description The server's time, for countdowns.
             */
            now: string;
            progress?: components["schemas"]["ProgressView"] | null;
            /**
             * Format: int64
             * @description Number of the cycle that waits for a slot.
             */
            queued_cycle?: number | null;
            /**
             * @description When its cycles are due, as a text; none when its configuration can't be read.
             * @example every 6h
             */
            recurrence?: string | null;
            /**
             * Format: int64
             * @description Number of the cycle that runs.
             */
            running_cycle?: number | null;
            /** @description Its id. */
            schedule_id: string;
            /** @description What it does at its due times: `idle`, `active`, `paused`, `stopped` or `removed`. */
            status: string;
            /** @description What is traded; none where its configuration says none. */
            symbol?: string | null;
            /** @description Length of a bar. */
            timeframe?: string | null;
            /**
             * Format: date-time
             * @description When it last changed.
             */
            updated_at: string;
        };
        /** @description All schedules. */
        Schedules: {
            /** @description In the order of their ids. */
            schedules: components["schemas"]["ScheduleStatusView"][];
        };
        /** @description Other events of a session. */
        SessionEvents: {
            /** @description In order. */
            events: components["schemas"]["LiveEventView"][];
            /**
             * Format: int64
             * @description What `after` has to be for the next page; none when there is no more yet.
             */
            next_after?: number | null;
        };
        /** @description A model in a session. */
        SessionModelView: {
            /** @description Its name. */
            model_id: string;
            /**
             * Format: int64
             * @description Its number in the session, from 1.
             */
            model_version: number;
            /** @description SHA-256 of its weights, lower-case hex. */
            sha256: string;
        };
        /** @description A session of a trader. What only its journal tells is missing until that was carried over. */
        SessionView: {
            /**
             * Format: int64
             * @description Its bars.
             */
            bars: number;
            /**
             * Format: double
             * @description Quote currency at hand then.
             */
            cash: number;
            /** @description Why it ended. */
            end_reason?: string | null;
            /**
             * Format: date-time
             * @description When it ended, by the time of its bars: of made-up bars or of a file, one of the past. None while it runs, or when
             *     nobody saw its end.
             */
            ended_at?: string | null;
            /**
             * Format: double
             * @description Cash and position at the last close, quote currency.
             */
            equity: number;
            /**
             * Format: int64
             * @description Its events.
             */
            events: number;
            /**
             * Format: double
             * @description Fees so far, quote currency.
             */
            fees?: number | null;
            /**
             * Format: int64
             * @description Its fills.
             */
            fills: number;
            /**
             * Format: double
             * @description Quote currency at its start.
             */
            initial_cash?: number | null;
            /**
             * Format: date-time
             * @description Start of its last bar.
             */
            last_bar?: string | null;
            /** @description Whose models it trades. */
            line: string;
            /**
             * Format: double
             * @description Largest fall from it, a positive fraction.
             */
            max_drawdown?: number | null;
            /**
             * Format: int64
             * @description How many of them were too late to be decided.
             */
            missed: number;
            /** @description What it may do: `active`, `reduce_only` or `halted`. */
            mode: string;
            model?: components["schemas"]["SessionModelView"] | null;
            /**
             * Format: int64
             * @description Its place among all sessions, from 1; none until its journal was carried over.
             */
            number?: number | null;
            /**
             * Format: double
             * @description Highest equity at a close.
             */
            peak_equity?: number | null;
            /**
             * Format: double
             * @description Amount of the asset held then; below zero when short.
             */
            position: number;
            /** @description Whether its trader runs on this machine. */
            running: boolean;
            /** @description Its name. */
            session_id: string;
            /**
             * Format: date-time
             * @description When it began.
             */
            started_at: string;
            status?: components["schemas"]["StatusView"] | null;
            /**
             * Format: int64
             * @description How often another model came.
             */
            swaps: number;
            /** @description What it trades. */
            symbol: string;
            /** @description Length of its bars. */
            timeframe: string;
            /** @description Where its orders go: `paper`, or the venue's name. */
            venue: string;
        };
        /** @description Sessions. */
        Sessions: {
            /**
             * Format: int64
             * @description What `before` has to be for the next page; none when there is no more.
             */
            next_before?: number | null;
            /** @description On the first page those that run, by name; then the others, newest first. */
            sessions: components["schemas"]["SessionView"][];
        };
        /** @description The models beside a session's. */
        Shadows: {
            watch?: components["schemas"]["WatchView"] | null;
        };
        /** @description A trader on paper that somebody wants. What is left out is as the server's settings say. */
        StartPaper: {
            /**
             * @description Line whose champion trades; default: the server's.
             * @example default
             */
            line?: string | null;
            /**
             * @description Where bars come from: `synthetic` for made-up ones, `alpaca` for those of now.
             * @example alpaca
             */
            source?: string | null;
            /**
             * @description How much faster than the clock made-up bars come; `max` for as fast as they are decided.
             * @example 3600
             */
            speed?: string | null;
            /**
             * @description What is traded.
             * @example BTC/USD
             */
            symbol?: string | null;
            /**
             * @description Length of a bar; default: the champion's.
             * @example 1h
             */
            timeframe?: string | null;
        };
        /** @description A trader that was started. */
        Started: {
            /** @description Its session. */
            session_id: string;
        };
        /** @description A running session behind its last bar. */
        StatusView: {
            /**
             * Format: int64
             * @description Bars that it has closed.
             */
            bars: number;
            /**
             * Format: double
             * @description Quote currency at hand.
             */
            cash: number;
            /**
             * Format: double
             * @description Cash and position at the last close, quote currency.
             */
            equity: number;
            /** @description Whether bars come. */
            is_feed_up: boolean;
            /**
             * Format: date-time
             * @description Start of the last one.
             */
            last_bar?: string | null;
            /**
             * Format: date-time
             * @description When the newest one came.
             */
            last_data_at?: string | null;
            /**
             * Format: int64
             * @description Number of the session's last event; 0 before the first.
             */
            last_event: number;
            /**
             * Format: int64
             * @description How many of them were too late to be decided.
             */
            missed: number;
            /** @description What it may do: `active`, `reduce_only` or `halted`. */
            mode: string;
            model?: components["schemas"]["LoadedModelView"] | null;
            /**
             * Format: int32
             * @description Orders whose end is not known.
             */
            open_orders: number;
            /**
             * Format: double
             * @description Amount of the asset held; below zero when short.
             */
            position: number;
            /**
             * Format: double
             * @description What the position was worth at the last close, quote currency.
             */
            position_value: number;
            restriction?: components["schemas"]["RestrictionView"] | null;
        };
        /** @description A part of a window. */
        StretchView: {
            /** @description Bars that are expected in it. */
            bars: number;
            /**
             * Format: date-time
             * @description Start of its first bar.
             */
            from: string;
            /** @description How many of them are missing. */
            missing: number;
            /** @description How many are not there because nothing traded. */
            no_trade: number;
        };
        /** @description Changes of the model of a session. */
        Swaps: {
            /**
             * Format: int64
             * @description What `after` has to be for the next page; none when there is no more yet.
             */
            next_after?: number | null;
            /** @description In order. */
            swaps: components["schemas"]["LiveSwapView"][];
        };
        /** @description What belongs to a command. What the command does not need is left out; `{}` is enough for `stop` and `reload`. */
        Told: {
            /** @description What was found out, and why it is safe to go on, a line of 1 to 500 characters: for `resume`. */
            acknowledge?: string | null;
            /** @description Whether `kill` closes the position first; default: it stays. */
            flatten?: boolean | null;
            /** @description Why, a line of 1 to 500 characters: for `pause`, `reduce_only` and `kill`. */
            reason?: string | null;
        };
        /** @description A closed round trip of a model on the bars that judged it. */
        TradeView: {
            /**
             * Format: date-time
             * @description When it came back to zero.
             */
            closed_at: string;
            /**
             * Format: double
             * @description Quote currency that went in.
             */
            entry_notional: number;
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            number: number;
            /**
             * Format: date-time
             * @description When the position left zero.
             */
            opened_at: string;
            /**
             * Format: double
             * @description Profit net of all fees, quote currency.
             */
            pnl: number;
            /**
             * Format: double
             * @description Profit as a fraction of what went in.
             */
            return_on_entry: number;
        };
        /** @description Trades of the model that an experiment made. */
        Trades: {
            /** @description Whether its trades were not kept, because the span was too long or retention took them. */
            left_out: boolean;
            /** @description The model; none while there is none. */
            model_id?: string | null;
            /**
             * Format: int64
             * @description What `after` has to be for the next page; none when there is no more.
             */
            next_after?: number | null;
            /** @description Its trades on the bars that judged it, in order. */
            trades: components["schemas"]["TradeView"][];
        };
        /** @description A training that was asked for something. */
        Training: {
            /** @description Its experiment. */
            experiment_id: string;
        };
        /** @description What a gate said. */
        VerdictView: {
            /** @description Its arm; none of rules that know no arms. */
            arm?: string | null;
            /** @description Every condition. */
            checks: components["schemas"]["CheckView"][];
            /** @description The grade of its arm: `provisional`, `screened` or `qualified`. */
            grade?: string | null;
            /** @description Where the evidence stands, figure by figure. */
            meter?: Record<string, never> | null;
            /** @description What it comes to: `promote`, `reject` or `inconclusive`. */
            outcome: string;
            /**
             * @description Name of the rules.
             * @example evidence
             */
            preset: string;
            /** @description Short cause of anything but a promotion. */
            reason?: string | null;
            /** @description The answer in a sentence. */
            sentence: string;
            /** @description What a person has to know who relies on the answer. */
            warnings: string[];
        };
        /** @description A dataset configuration that somebody wants. */
        WantedDataset: {
            /** @description What it is for. */
            description?: string;
            /** @description The features, a list as in the settings; default: the usual ones. */
            features?: Record<string, never>[];
            /**
             * @description Its id: lower-case letters, digits, `.`, `_`, `-`, at most 64.
             * @example mine
             */
            id: string;
            /**
             * @description Its name for people; no other configuration has it.
             * @example Mine
             */
            name: string;
            /** @description Settings by section: `data`, `market`, `alpaca`, `costs`. */
            source_config?: Record<string, never>;
            /**
             * @description Kind of its source, as the setting `data.source`.
             * @example synthetic
             */
            source_type: string;
            /** @description How the window is cut, by keys of the section `data`. */
            split_config?: Record<string, never>;
        };
        /** @description A pack that somebody wants. */
        WantedPack: {
            /** @description The hyperparameters by name, as the trainer knows them. */
            config: Record<string, never>;
            /** @description What it is for. */
            description?: string;
            /**
             * @description Its id: lower-case letters, digits, `.`, `_`, `-`, at most 64.
             * @example mine
             */
            id: string;
            /**
             * @description Its name for people; no other pack has it.
             * @example Mine
             */
            name: string;
        };
        /** @description Where to go back to, and why. */
        WantedRollback: {
            /** @description Why, for the history: a line of 1 to 500 characters. */
            reason: string;
            /** @description An earlier champion of the line; default: the one before the present one. */
            to_model_id?: string | null;
        };
        /**
         * @description The models that decide beside a session's on the same bars, with paper ledgers of their own, and the rules that take its
         *     champion back.
         */
        WatchView: {
            /** @description What the champion displaced, and is measured against; none is holding no position. */
            anchor_model_id?: string | null;
            /**
             * Format: double
             * @description That of the anchor.
             */
            anchor_return: number;
            /**
             * Format: int64
             * @description Bars since the watch over this champion and the models of its arm before it began.
             */
            bars: number;
            /** @description The newest models of the line's other arms, at most 8. */
            challengers: components["schemas"]["ChallengerView"][];
            /** @description The champion that is watched; none where there is none, or it can't be run in the shadow. */
            champion_model_id?: string | null;
            /**
             * Format: double
             * @description Return of the champion's paper ledger over them, as a fraction: without the session's limits.
             */
            champion_return: number;
            /**
             * Format: date-time
             * @description Close of the last bar that they have taken.
             */
            close?: string | null;
            /** @description Where the rules stand that take the champion back. */
            rules: components["schemas"]["RuleView"][];
        };
        /** @description Which schedule. */
        Which: {
            /** @description Its id; it may be left out while there is only one. */
            schedule_id?: string | null;
        };
        /** @description Why it is decided so. */
        WhyDecided: {
            /** @description Of an approval: against the model's verdict, or before it was held. Its grade stays what its arm has earned. */
            overrule?: boolean;
            /** @description Why, for the history: a line of 1 to 500 characters. */
            reason: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
