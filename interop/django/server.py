"""A Django with djangorestframework-simplejwt, as its documentation sets it up.

Its signing key is the first line of standard input. With the argument "defaults" it
has no other setting of simplejwt, so that refresh tokens are not rotated. Beside the views of
simplejwt it has /me, which wants an access token, and for the tests /make,
/read and /user.
"""
import json
import sys
from wsgiref.simple_server import make_server

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="this is not what signs tokens; SIGNING_KEY does",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    # Django's own, but fast: the passwords here protect nobody.
    PASSWORD_HASHERS=[f"{__name__}.FewIterations"],
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_simplejwt",
        "rest_framework_simplejwt.token_blacklist",
    ],
    SIMPLE_JWT={
        "SIGNING_KEY": sys.stdin.readline().strip(),
        **({} if "defaults" in sys.argv else {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}),
    },
)

from django.contrib.auth.hashers import PBKDF2PasswordHasher  # noqa: E402


class FewIterations(PBKDF2PasswordHasher):
    iterations = 1000


django.setup()

import jwt  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_simplejwt import exceptions, tokens, views  # noqa: E402
from rest_framework_simplejwt.authentication import JWTAuthentication  # noqa: E402
from rest_framework_simplejwt.serializers import TokenVerifySerializer  # noqa: E402
from rest_framework_simplejwt.settings import api_settings  # noqa: E402

User = get_user_model()


class Me(APIView):
    authentication_classes = [JWTAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": str(request.user.pk)})


def make(request):
    """Makes a token as an application does: {"kind", "user", "set", "drop"}.

    "set" and "drop" change its claims. The kind "pyjwt" is a token of nothing
    but "set", and made without simplejwt.
    """
    wanted = json.loads(request.body)
    if wanted["kind"] == "pyjwt":
        return JsonResponse({"token": jwt.encode(wanted["set"], api_settings.SIGNING_KEY, "HS256")})
    user = User.objects.get(username=wanted["user"])
    match wanted["kind"]:
        case "refresh":
            token = tokens.RefreshToken.for_user(user)
        case "access":
            token = tokens.RefreshToken.for_user(user).access_token
        case "sliding":
            token = tokens.SlidingToken.for_user(user)
    token.payload.update(wanted.get("set") or {})
    for claim in wanted.get("drop") or []:
        del token[claim]
    return JsonResponse({"token": str(token)})


def read(request):
    """Reads a token as an application does: {"by", "token"}."""
    wanted = json.loads(request.body)
    by, token = wanted["by"], wanted["token"]
    try:
        if by == "PyJWT":
            return JsonResponse(jwt.decode(token, api_settings.SIGNING_KEY, algorithms=["HS256"]))
        if by == "TokenVerifySerializer":
            TokenVerifySerializer(data={"token": token}).is_valid(raise_exception=True)
            return JsonResponse({})
        return JsonResponse(getattr(tokens, by)(token).payload)
    except (exceptions.TokenError, jwt.InvalidTokenError) as error:
        return JsonResponse({"error": str(error)}, status=401)


def user(request):
    """Tells of {"user"} what a program that reads the same database finds."""
    found = User.objects.get(username=json.loads(request.body)["user"])
    return JsonResponse({"id": str(found.pk), "password": found.password})


urlpatterns = [
    path("api/token/", views.TokenObtainPairView.as_view()),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("api/token/verify/", views.TokenVerifyView.as_view()),
    path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
    path("api/token/sliding/", views.TokenObtainSlidingView.as_view()),
    path("api/token/sliding/refresh/", views.TokenRefreshSlidingView.as_view()),
    path("me", Me.as_view()),
    path("make", make),
    path("read", read),
    path("user", user),
]

call_command("migrate", verbosity=0)
User.objects.create_user("alice", password="correct-horse-battery")
User.objects.create_user("inactive", password="correct-horse-battery", is_active=False)

# One thread: a database in memory is its connection's.
with make_server("127.0.0.1", 0, get_wsgi_application()) as server:
    print("listening on", f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
