"""/api/v1/experiments: what is compared within campaigns; and what an advertiser's ads have changed."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.experiment import Experiment
from adserver.flows.manage import Manage
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.routes import api_router
from adserver.web.schemas.experiments import (
    ExperimentAnswer,
    ExperimentChange,
    ExperimentDraft,
    ExperimentList,
    LiftAnswer,
    show_experiment,
    show_lift,
)

router = api_router(tags=["experiments"], dependencies=[ADVERTISERS_ONLY])


def _shown(manage: Manage) -> Callable[[Experiment], ExperimentAnswer]:
    return lambda experiment: show_experiment(experiment, manage.experiments.verdict(experiment))


@router.get("/experiments", response_model=Page[ExperimentAnswer], responses=problems())
def list_experiments(
    manage: CurrentManage, caller: CurrentCaller, asked: Annotated[ExperimentList, Query()]
) -> Response:
    return page(
        asked,
        lambda after, limit: manage.experiments.experiments(caller.reach, asked.advertiser_id, after, limit),
        each(_shown(manage)),
    )


@router.post("/experiments", status_code=201, response_model=ExperimentAnswer, responses=problems(409))
def create_experiment(
    draft: ExperimentDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    """Compare creatives, offers or audiences of a campaign, one experiment at a time."""
    return once.create(
        lambda receipt_of: manage.experiments.create(caller.reach, draft.experiment(), receipt_of),
        _shown(manage),
    )


@router.get("/experiments/{experiment_id}", response_model=ExperimentAnswer, responses=problems())
def get_experiment(experiment_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """The experiment, with what it has shown so far; look on any day."""
    key = key_from("exp", experiment_id)
    return answer(_shown(manage)(found(manage.experiments.experiment(caller.reach, key))))


@router.patch("/experiments/{experiment_id}", response_model=ExperimentAnswer, responses=problems(409))
def change_experiment(
    experiment_id: str, change: ExperimentChange, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Rename it, or say when it ends; what is compared stays as it is."""
    key = key_from("exp", experiment_id)
    return answer(_shown(manage)(found(manage.experiments.change(caller.reach, key, change.edit))))


@router.get("/advertisers/{advertiser_id}/lift", response_model=LiftAnswer, responses=problems())
def get_lift(advertiser_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """What the ads have changed since the holdout's share was set; without one, whether one could show it."""
    return answer(show_lift(*found(manage.experiments.lift(caller.reach, key_from("adv", advertiser_id)))))
