//! Users. Admins only.

mod create_sign_in_link;
mod create_user;
mod delete_user;
mod list_users;
mod update_user;

pub use create_sign_in_link::SignInLink;

use crate::{
    api::{AppState, problem::Problem},
    domain::validation::Validator,
    store::{Connection, users},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/api/users`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_users::list_users, create_user::create_user))
        .routes(routes!(update_user::update_user, delete_user::delete_user))
        .routes(routes!(create_sign_in_link::create_sign_in_link))
}

/// Notes what is wrong with the name of a new user.
pub(super) fn check_username(validator: &mut Validator, username: &str) {
    let fits = (1..=64).contains(&username.len())
        && username
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte));
    validator.check(
        fits,
        "username",
        "must be 1 to 64 letters, digits or any of `.` `_` `@` `-`",
    );
}

/// Refuses a change after which nobody could sign in as an admin. Call it after the change, in its transaction, with the users
/// locked before.
async fn keep_an_admin(connection: &mut Connection) -> Result<(), Problem> {
    if users::count_admins(connection).await? == 0 {
        return Err(Problem::conflict(
            "this is the last admin who can sign in; make another one first",
        ));
    }
    Ok(())
}
