-- What a start needs to know of a model's folder without reading it. `seen` tells a changed folder from an unchanged
-- one; null: it has to be read. `promoted_at` is what the record says.
ALTER TABLE models ADD COLUMN seen TEXT;
ALTER TABLE models ADD COLUMN promoted_at TEXT;

CREATE TABLE hyperparameter_packs (
    id          TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    name        TEXT NOT NULL UNIQUE CHECK (length(name) > 0),
    description TEXT NOT NULL DEFAULT '',
    config      TEXT NOT NULL CHECK (json_valid(config) AND json_type(config) = 'object'),
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
) STRICT;

CREATE TABLE dataset_configs (
    id            TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    name          TEXT NOT NULL UNIQUE CHECK (length(name) > 0),
    description   TEXT NOT NULL DEFAULT '',
    source_type   TEXT NOT NULL CHECK (length(source_type) > 0),
    source_config TEXT NOT NULL CHECK (json_valid(source_config) AND json_type(source_config) = 'object'),
    features      TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(features) AND json_type(features) = 'array'),
    split_config  TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(split_config) AND json_type(split_config) = 'object'),
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
) STRICT;

-- One training each. run_id and model_id name folders and files, which outlive this database, so they refer to no
-- table. An ended experiment has its time of completion, and no other has.
CREATE TABLE experiments (
    id            TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    name          TEXT NOT NULL CHECK (length(name) > 0),
    script        TEXT NOT NULL,
    status        TEXT NOT NULL DEFAULT 'pending' CHECK (status IN
                  ('pending', 'running', 'completed', 'failed', 'cancelled', 'interrupted', 'pruned')),
    line          TEXT NOT NULL,
    run_id        TEXT,
    model_id      TEXT,
    created_at    TEXT NOT NULL,
    started_at    TEXT,
    completed_at  TEXT,
    config        TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config) AND json_type(config) = 'object'),
    final_metrics TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(final_metrics) AND json_type(final_metrics) = 'object'),
    tags          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags) AND json_type(tags) = 'array'),
    error         TEXT,
    CHECK ((completed_at IS NULL) = (status IN ('pending', 'running')))
) STRICT;
CREATE INDEX experiments_by_time ON experiments (created_at, id);
CREATE INDEX experiments_by_status ON experiments (status, created_at, id);
CREATE INDEX experiments_of_a_line ON experiments (line, created_at, id);
CREATE INDEX experiments_by_model ON experiments (model_id) WHERE model_id IS NOT NULL;

CREATE TABLE iterations (
    experiment_id TEXT NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    iteration     INTEGER NOT NULL CHECK (iteration >= 0),
    metrics       TEXT NOT NULL CHECK (json_valid(metrics) AND json_type(metrics) = 'object'),
    timestamp     TEXT NOT NULL,
    PRIMARY KEY (experiment_id, iteration)
) STRICT, WITHOUT ROWID;

-- base_experiment_id is null until the base of a schedule that was added without one is trained; dataset_id and
-- hp_pack_id are null where the program's own settings take their place, as for the schedule `default`.
CREATE TABLE continuous_training_schedules (
    id                      TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    name                    TEXT NOT NULL CHECK (length(name) > 0),
    line                    TEXT NOT NULL,
    status                  TEXT NOT NULL DEFAULT 'idle' CHECK (status IN
                            ('idle', 'active', 'paused', 'stopped', 'removed')),
    base_experiment_id      TEXT REFERENCES experiments (id),
    dataset_id              TEXT REFERENCES dataset_configs (id),
    hp_pack_id              TEXT REFERENCES hyperparameter_packs (id),
    config                  TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config) AND json_type(config) = 'object'),
    current_checkpoint_path TEXT,
    anchor_at               TEXT,
    current_cycle           INTEGER NOT NULL DEFAULT 0 CHECK (current_cycle >= 0),
    last_cycle_at           TEXT,
    next_cycle_at           TEXT,
    consecutive_failures    INTEGER NOT NULL DEFAULT 0 CHECK (consecutive_failures >= 0),
    created_at              TEXT NOT NULL,
    updated_at              TEXT NOT NULL
) STRICT;
CREATE INDEX schedules_of_a_base ON continuous_training_schedules (base_experiment_id)
    WHERE base_experiment_id IS NOT NULL;

-- The history of a schedule is read along the primary key. A cycle that waits or runs has no end, and any other has.
CREATE TABLE cycles (
    schedule_id       TEXT NOT NULL REFERENCES continuous_training_schedules (id),
    number            INTEGER NOT NULL CHECK (number >= 1),
    due_at            TEXT NOT NULL,
    trigger           TEXT NOT NULL CHECK (trigger IN ('due', 'manual', 'catch_up')),
    status            TEXT NOT NULL CHECK (status IN ('queued', 'running', 'promoted', 'rejected', 'inconclusive',
                      'held', 'skipped', 'missed', 'failed', 'cancelled', 'interrupted')),
    reason            TEXT,
    window_start      TEXT,
    window_end        TEXT,
    experiment_id     TEXT REFERENCES experiments (id),
    run_id            TEXT,
    parent_id         TEXT,
    model_id          TEXT,
    deployed_model_id TEXT,
    verdict           TEXT CHECK (json_valid(verdict)),
    started_at        TEXT,
    finished_at       TEXT,
    PRIMARY KEY (schedule_id, number),
    CHECK ((window_start IS NULL) = (window_end IS NULL)),
    CHECK ((finished_at IS NULL) = (status IN ('queued', 'running')))
) STRICT;
-- Each due time has one outcome.
CREATE UNIQUE INDEX cycles_by_due_time ON cycles (schedule_id, due_at) WHERE trigger = 'due';
CREATE INDEX open_cycles ON cycles (schedule_id, number) WHERE finished_at IS NULL;
CREATE INDEX cycles_by_experiment ON cycles (experiment_id) WHERE experiment_id IS NOT NULL;
CREATE INDEX cycles_by_model ON cycles (model_id) WHERE model_id IS NOT NULL;

-- Packs and datasets to begin with. They come once, with these tables: what is deleted stays deleted. Their time is a
-- fixed one, because they are part of the program.
INSERT INTO hyperparameter_packs (id, name, description, config, created_at, updated_at) VALUES
    ('default', 'Default', 'The trainer''s own settings: a small network, 80,000 bars of experience.', '{
        "iterations": 40, "num_envs": 16, "num_steps": 128, "update_epochs": 4, "num_minibatches": 8,
        "learning_rate": 0.001, "lr_schedule": "linear", "fine_tune_lr_multiplier": 0.2, "gamma": 0.95,
        "gae_lambda": 0.95, "clip_coef": 0.2, "ent_coef": 0.01, "vf_coef": 0.5, "max_grad_norm": 0.5,
        "network": "mlp", "hidden": [64, 64], "activation": "tanh", "lookback": 4, "episode_bars": 256,
        "reward": "log_return", "actions": "long_flat"}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'),
    ('quick', 'Quick', 'To see that everything works: a tiny network, a sixteenth of the default''s experience.', '{
        "iterations": 10, "num_envs": 8, "num_steps": 64, "update_epochs": 4, "num_minibatches": 4,
        "learning_rate": 0.001, "lr_schedule": "linear", "fine_tune_lr_multiplier": 0.2, "gamma": 0.95,
        "gae_lambda": 0.95, "clip_coef": 0.2, "ent_coef": 0.01, "vf_coef": 0.5, "max_grad_norm": 0.5,
        "network": "mlp", "hidden": [32, 32], "activation": "tanh", "lookback": 4, "episode_bars": 128,
        "reward": "log_return", "actions": "long_flat"}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'),
    ('thorough', 'Thorough', 'Long training in small steps. The best iteration on two weeks of hours before the hold-out is kept.', '{
        "iterations": 200, "num_envs": 32, "num_steps": 128, "update_epochs": 6, "num_minibatches": 8,
        "learning_rate": 0.0005, "lr_schedule": "cosine", "fine_tune_lr_multiplier": 0.2, "gamma": 0.97,
        "gae_lambda": 0.95, "clip_coef": 0.2, "ent_coef": 0.01, "vf_coef": 0.5, "max_grad_norm": 0.5,
        "target_kl": 0.03, "network": "mlp", "hidden": [64, 64], "activation": "tanh", "lookback": 8,
        "episode_bars": 512, "reward": "log_return", "actions": "long_flat",
        "validation_bars": 336, "validate_every": 2, "patience": 30, "checkpoint_every": 20}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'),
    ('cautious', 'Cautious', 'A fall from the peak costs extra, and each update moves little.', '{
        "iterations": 80, "num_envs": 16, "num_steps": 128, "update_epochs": 4, "num_minibatches": 8,
        "learning_rate": 0.0003, "lr_schedule": "linear", "fine_tune_lr_multiplier": 0.2, "gamma": 0.97,
        "gae_lambda": 0.95, "clip_coef": 0.1, "ent_coef": 0.02, "vf_coef": 0.5, "max_grad_norm": 0.5,
        "target_kl": 0.01, "network": "mlp", "hidden": [64, 64], "activation": "tanh", "lookback": 4,
        "episode_bars": 256, "reward": {"drawdown": {"weight": 1.0}}, "actions": "long_flat"}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'),
    ('wide-network', 'Wide network', 'Two hidden layers of 256, for long windows and many features.', '{
        "iterations": 60, "num_envs": 32, "num_steps": 128, "update_epochs": 4, "num_minibatches": 8,
        "learning_rate": 0.0003, "lr_schedule": "linear", "fine_tune_lr_multiplier": 0.2, "gamma": 0.95,
        "gae_lambda": 0.95, "clip_coef": 0.2, "ent_coef": 0.01, "vf_coef": 0.5, "max_grad_norm": 0.5,
        "network": "mlp", "hidden": [256, 256], "activation": "tanh", "lookback": 8, "episode_bars": 256,
        "reward": "log_return", "actions": "long_flat"}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'),
    ('gru', 'Recurrent', 'A gated recurrent unit over the last 16 rows of features; trains much slower than the others.', '{
        "iterations": 20, "num_envs": 8, "num_steps": 128, "update_epochs": 4, "num_minibatches": 4,
        "learning_rate": 0.0005, "lr_schedule": "linear", "fine_tune_lr_multiplier": 0.2, "gamma": 0.95,
        "gae_lambda": 0.95, "clip_coef": 0.2, "ent_coef": 0.01, "vf_coef": 0.5, "max_grad_norm": 0.5,
        "network": {"gru": {"units": 32}}, "hidden": [32], "activation": "tanh", "lookback": 16,
        "episode_bars": 256, "reward": "log_return", "actions": "long_flat"}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z');

INSERT INTO dataset_configs (id, name, description, source_type, source_config, created_at, updated_at) VALUES
    ('synthetic-hourly', 'Synthetic hours', 'Made-up hourly bars; needs no network and no file.', 'synthetic',
     '{"data": {"symbol": "BTC/USD", "timeframe": "1h", "window_bars": 8760}, "market": {"calendar": "continuous"}}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'),
    ('btc-hourly', 'BTC/USD hours', 'Hourly bars of bitcoin in dollars from Alpaca; needs no keys.', 'alpaca',
     '{"data": {"symbol": "BTC/USD", "timeframe": "1h", "window_bars": 8760}, "alpaca": {"location": "us"}, "market": {"calendar": "continuous"}}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'),
    ('eth-hourly', 'ETH/USD hours', 'Hourly bars of ether in dollars from Alpaca; needs no keys.', 'alpaca',
     '{"data": {"symbol": "ETH/USD", "timeframe": "1h", "window_bars": 8760}, "alpaca": {"location": "us"}, "market": {"calendar": "continuous"}}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z'),
    ('csv-template', 'CSV file', 'To copy: bars of a file; set its path, and the symbol that it is of.', 'csv',
     '{"data": {"path": "bars.csv", "symbol": "BTC/USD", "window_bars": 8760}, "market": {"calendar": "continuous"}}',
     '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z');
