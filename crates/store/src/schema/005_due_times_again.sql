-- A due time that was recorded under a clock which was ahead comes again when its schedule counts from the present
-- again. That it has one row otherwise is checked when the row is made.
DROP INDEX cycles_by_due_time;
CREATE INDEX cycles_by_due_time ON cycles (schedule_id, due_at) WHERE trigger = 'due';
