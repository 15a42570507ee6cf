//! The scripts, each in a file of its own. Redis is sent a script's text once and its hash from then on.

use std::sync::OnceLock;

use redis::Script;

macro_rules! scripts {
    ($($name:ident),+ $(,)?) => {
        /// Every transition of the ledger.
        pub(crate) struct Scripts {
            $(pub(crate) $name: Script,)+
        }

        /// All scripts, hashed once for the process.
        pub(crate) fn all() -> &'static Scripts {
            static SCRIPTS: OnceLock<Scripts> = OnceLock::new();
            SCRIPTS.get_or_init(|| Scripts {
                $($name: Script::new(concat!(
                    include_str!("scripts/trigger.lua"),
                    include_str!(concat!("scripts/", stringify!($name), ".lua")),
                )),)+
            })
        }
    };
}

scripts!(
    record,
    claim,
    abandon,
    renew,
    complete,
    release,
    park,
    replay,
    toggle,
    register,
    mark_none,
    note_waiting,
    update,
    sweep,
    uncopied,
    park_lost,
    forget_backlog,
    dismiss,
    end,
    note_incomplete,
    forget_turns,
);

/// The one that is sent as text, every time.
pub(crate) const UNCLAIM: &str = concat!(
    include_str!("scripts/trigger.lua"),
    include_str!("scripts/unclaim.lua"),
);
