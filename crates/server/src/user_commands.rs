//! `sipweb user`: the users' file by commands. A running server notices within a second.

use std::path::PathBuf;

use store::{Change, User, UserFile};

use crate::command_line::{NamedUser, Place, UserCommand};
use crate::configuration::Configuration;
use crate::{Failure, password, print};

pub(crate) fn execute(command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Add(user) => add(user),
        UserCommand::List(place) => list(place),
        UserCommand::Passwd(user) => change_password(user),
        UserCommand::Remove(user) => remove(user),
    }
}

/// Where the users are, and the realm that new ones get.
struct Users {
    file: UserFile,
    data: PathBuf,
    realm: String,
}

impl Users {
    fn at(place: Place) -> Result<Self, Failure> {
        let (data, configured) = match (place.config, place.data) {
            (Some(config), _) => {
                let configuration = Configuration::read(&config)?;
                (configuration.data, configuration.proxy.authentication.realm)
            }
            (None, data) => (data.unwrap_or_default(), proxy::config::Authentication::default().realm),
        };
        let realm = place.realm.unwrap_or(configured);
        User::check_realm(&realm).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Self { file: UserFile::at(&data), data, realm })
    }

    /// The same; makes the directory if it is missing. Who only looks for a user makes none where he mistypes its name.
    fn made_at(place: Place) -> Result<Self, Failure> {
        let users = Self::at(place)?;
        let file = UserFile::of(&users.data).map_err(Failure::from_error)?;
        Ok(Self { file, ..users })
    }

    fn has(&self, name: &str) -> Result<bool, Failure> {
        let users = self.file.list().map_err(Failure::from_error)?;
        Ok(users.iter().any(|user| user.name == name && user.realm == self.realm))
    }

    fn set(&self, name: &str) -> Result<(), Failure> {
        let chosen = password::choose(name)?;
        let change = self
            .file
            .set(&password::user(name, &self.realm, &chosen.password))
            .map_err(Failure::from_error)?;
        let what = match change {
            Change::Added => "is added",
            Change::Replaced => "has the new password",
        };
        print(&format!("{name} {what} (realm {}).\n", self.realm));
        if chosen.made_up {
            print(&format!("password: {}\nIt is kept nowhere: write it down now.\n", chosen.password));
        }
        Ok(())
    }
}

fn add(user: NamedUser) -> Result<(), Failure> {
    User::check_name(&user.name).map_err(|error| Failure::Usage(error.to_string()))?;
    let users = Users::made_at(user.place)?;
    if users.has(&user.name)? {
        let sentence = format!("{0} is there already; use: sipweb user passwd {0}", user.name);
        return Err(Failure::Failed(sentence));
    }
    users.set(&user.name)
}

fn change_password(user: NamedUser) -> Result<(), Failure> {
    let users = Users::at(user.place)?;
    if !users.has(&user.name)? {
        return Err(unknown(&user.name, &users));
    }
    users.set(&user.name)
}

fn remove(user: NamedUser) -> Result<(), Failure> {
    let one_realm = user.place.realm.clone();
    let users = Users::at(user.place)?;
    match users.file.remove(&user.name, one_realm.as_deref()).map_err(Failure::from_error)? {
        0 => Err(unknown(&user.name, &users)),
        _ => {
            print(&format!(
                "{} is removed. A device that is registered stays so until its time runs out.\n",
                user.name
            ));
            Ok(())
        }
    }
}

fn list(place: Place) -> Result<(), Failure> {
    let users = Users::at(place)?;
    let found = users.file.list().map_err(Failure::from_error)?;
    if found.is_empty() {
        print(&format!("No users yet in {}.\n", users.data.display()));
        return Ok(());
    }
    let width = found.iter().map(|user| user.name.len()).max().unwrap_or_default();
    for user in found {
        print(&format!("{:width$}  {}\n", user.name, user.realm));
    }
    Ok(())
}

fn unknown(name: &str, users: &Users) -> Failure {
    Failure::Failed(format!("there is no user {name} of realm {} in {}", users.realm, users.data.display()))
}
