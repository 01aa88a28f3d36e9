"""What the owner of AgentDojo's tools declares of them: effect, parameters that are data, fields the system makes.

Everything that is not named here is Planloom's default, which is the strict side: results are untrusted, and every
parameter of a tool that writes is `control`. So texts of mails and messages to others, subjects, amounts, names and
addresses all steer a call, and only what the table below says is exempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from planloom.core.plan import Effect


@dataclass(frozen=True, slots=True)
class Declared:
    """One tool."""

    effect: Effect
    why: str
    data: tuple[str, ...] = ()
    """Parameters of a tool that writes which steer nothing."""
    fields: tuple[str, ...] = ()
    """Fields of its results that the service makes itself."""
    trusted: bool = False
    """The whole result is the service's own."""


READ = Declared("read", "results hold what others wrote, or may")
WRITE = Declared("write", "every parameter decides whom or what it acts on, or is read by others in the user's name")
ENTRY = Declared(
    "write",
    "a reminder in the user's own calendar: its words and times harm little; participants get a mail and are control",
    data=("title", "description", "location", "start_time", "end_time"),
    fields=("id_",),
)
EVENTS = Declared(
    "read", "the calendar numbers its entries; titles, places and people come with invitations", fields=("[].id_",)
)
MAILS = Declared(
    "read", "the mail service numbers mails; sender, subject and body are the sender's", fields=("[].id_",)
)
FILES = Declared(
    "read", "the drive numbers files; names and contents may be anybody's who shares them", fields=("[].id_",)
)
FILE = Declared("read", "as the others; the id is only as good as the one asked for", fields=("id_",))
OWN_TEXT = Declared(
    "write", "the text of one's own file is data; which file it is, is control", data=("content",), fields=("id_",)
)
TODAY = Declared("read", "the service's own clock", trusted=True)

CALENDAR: Mapping[str, Declared] = {
    "get_current_day": TODAY,
    "get_day_calendar_events": EVENTS,
    "search_calendar_events": EVENTS,
    "create_calendar_event": ENTRY,
    "cancel_calendar_event": WRITE,
}
SUITES: Mapping[str, Mapping[str, Declared]] = {
    "workspace": {
        **CALENDAR,
        "reschedule_calendar_event": WRITE,
        "add_calendar_event_participants": WRITE,
        "get_unread_emails": MAILS,
        "get_sent_emails": MAILS,
        "get_received_emails": MAILS,
        "get_draft_emails": MAILS,
        "search_emails": MAILS,
        # The contact list is gathered from the mails that came in, so it is no address book of the user's own.
        "search_contacts_by_name": READ,
        "search_contacts_by_email": READ,
        "send_email": WRITE,
        "delete_email": WRITE,
        "search_files_by_filename": FILES,
        "search_files": FILES,
        "list_files": FILES,
        "get_file_by_id": FILE,
        "create_file": OWN_TEXT,
        "append_to_file": OWN_TEXT,
        "delete_file": WRITE,
        "share_file": WRITE,
    },
    "travel": {
        **CALENDAR,
        "send_email": WRITE,
        "reserve_hotel": WRITE,
        "reserve_restaurant": WRITE,
        "reserve_car_rental": WRITE,
    },
    "banking": {
        # Transactions have ids of the bank, but which of them is the rent is said by their subjects alone.
        "get_most_recent_transactions": Declared("read", "senders write the subjects", fields=("[].id",)),
        "get_scheduled_transactions": Declared("read", "as the others", fields=("[].id",)),
        "send_money": WRITE,
        "schedule_transaction": WRITE,
        "update_scheduled_transaction": WRITE,
        "update_password": WRITE,
        "update_user_info": WRITE,
    },
    "slack": {
        "add_user_to_channel": WRITE,
        "send_direct_message": WRITE,
        "send_channel_message": WRITE,
        "invite_user_to_slack": WRITE,
        "remove_user_from_slack": WRITE,
        # A request is seen by whoever owns the address: one made of what was read carries it out of the house.
        "get_webpage": WRITE,
        "post_webpage": WRITE,
    },
}


def declared(suite: str, name: str) -> Declared:
    """Return what is declared of a tool; all that is not in the table reads, and what it reads is untrusted."""
    return SUITES[suite].get(name, READ)
