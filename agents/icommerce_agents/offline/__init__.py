"""The offline default model: deterministic, no key, no network; it sees only messages and tool schemas."""
