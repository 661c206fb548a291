-- The rest of a bar beside its close; null in rows that were carried over before these columns were there.
ALTER TABLE live_bars ADD COLUMN open REAL;
ALTER TABLE live_bars ADD COLUMN high REAL;
ALTER TABLE live_bars ADD COLUMN low REAL;
ALTER TABLE live_bars ADD COLUMN volume REAL;

-- The models in the shadow of a session, as its watch last told them: JSON, replaced as a whole; null before the first word.
ALTER TABLE live_sessions ADD COLUMN watch TEXT;
