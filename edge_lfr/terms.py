"""The closed lists of policy: why somebody is listed, what an officer is asked to do, what a deployment is for."""

from enum import StrEnum


class Category(StrEnum):
    """Why a reference is listed; the eight categories of the College of Policing's guidance, and no others."""

    WANTED_BY_COURTS = "wanted-by-courts"
    SUSPECT = "suspect"
    BAIL_OR_RESTRICTION = "bail-or-restriction"
    MISSING_AT_RISK = "missing-at-risk"
    RISK_OF_HARM = "risk-of-harm"
    ASSOCIATE = "associate"
    WITNESS = "witness"
    VICTIM = "victim"

    @property
    def needs_approval(self) -> bool:
        """Whether nobody is listed under it without the authorising officer's own word on it."""
        return self in {Category.ASSOCIATE, Category.WITNESS, Category.VICTIM}


class ResponseCode(StrEnum):
    """What an officer is asked to do; a missing child is not met like a suspect."""

    ARREST = "arrest"
    CHECK_CONDITIONS = "check-conditions"
    SAFEGUARD = "safeguard"
    OBSERVE = "observe"


class UseCase(StrEnum):
    """What a deployment is for; the five of the published deployment records, and no others."""

    CRIME_HOTSPOT = "crime-hotspot"
    MISSING_PERSON_HOTSPOT = "missing-person-hotspot"
    PROTECTIVE_SECURITY_SITE = "protective-security-site"
    PROTECTIVE_SECURITY_EVENT = "protective-security-event"
    SOUGHT_PERSON = "sought-person"

    @property
    def policy_section(self) -> str:
        """Where the Metropolitan Police's policy allows it, as its deployment records cite it."""
        return {
            UseCase.CRIME_HOTSPOT: "2.3(a)",
            UseCase.MISSING_PERSON_HOTSPOT: "2.3(b)",
            UseCase.PROTECTIVE_SECURITY_SITE: "2.7(a)",
            UseCase.PROTECTIVE_SECURITY_EVENT: "2.7(b)",
            UseCase.SOUGHT_PERSON: "2.9",
        }[self]


class Rank(StrEnum):
    """Of an officer, from the lowest that may authorise anything; the rest of the list is above it, in order."""

    INSPECTOR = "inspector"
    CHIEF_INSPECTOR = "chief-inspector"
    SUPERINTENDENT = "superintendent"
    CHIEF_SUPERINTENDENT = "chief-superintendent"
    ASSISTANT_CHIEF_CONSTABLE = "assistant-chief-constable"
    """In London: commander."""

    DEPUTY_CHIEF_CONSTABLE = "deputy-chief-constable"
    """In London: deputy assistant commissioner."""

    CHIEF_CONSTABLE = "chief-constable"
    """In London: assistant commissioner and above."""

    def is_at_least(self, other: "Rank") -> bool:
        order = list(Rank)
        return order.index(self) >= order.index(other)


class Mode(StrEnum):
    """What the appliance is used for; each has its own state folder, topics, issuers and keys that count."""

    TRAINING = "training"
    OPERATIONAL = "operational"
