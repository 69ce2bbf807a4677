//! From gotmpl's syntax tree to steps.

use std::sync::Arc;

use gotmpl::TemplateError;
use gotmpl::parse::{BranchNode, CommandNode, Expr as Parsed, ListNode, Node, Number, Parser, PipeNode, Pos};

use crate::chart::error::Fault;
use crate::chart::function;
use crate::chart::value::Text;

use super::blocks;
use super::{
    Binds, Body, Branch, Command, Expr, Literal, Name, Offset, Pipe, Range, Source, Step, Template, Variables,
};

/// The templates of one text: its own, and those that it defines.
#[derive(Debug)]
pub(in crate::chart) struct Compiled {
    pub(in crate::chart) main: Template,
    pub(in crate::chart) defined: Vec<Template>,
}

/// What is wrong, and at which byte.
#[derive(Debug)]
pub(in crate::chart) struct Refused {
    pub(in crate::chart) at: Offset,
    pub(in crate::chart) fault: Fault,
}

/// Reads a text and resolves its names.
pub(in crate::chart) fn compile(name: Text, source: Arc<Source>) -> Result<Compiled, Refused> {
    let text = blocks::checked(&source.text)
        .map_err(|broken| Refused { at: offset(broken.at), fault: Fault::Syntax(broken.what) })?;
    let parsed = Parser::new(&text, "{{", "}}").and_then(Parser::parse);
    let (body, definitions) = parsed.map_err(|error| refused_by_parser(&source, error))?;
    let template = |name: Text, list: &ListNode| -> Result<Template, Refused> {
        let mut scope = Scope { names: vec!["$".into()] };
        let is_empty = list.is_empty_tree();
        Ok(Template { name, source: Arc::clone(&source), body: scope.body(list)?, is_empty })
    };
    let defined = definitions
        .iter()
        .map(|definition| template(Text::from(definition.name.as_str()), &definition.body))
        .collect::<Result<_, _>>()?;
    Ok(Compiled { main: template(name, &body)?, defined })
}

fn offset(at: usize) -> Offset {
    Offset::try_from(at).unwrap_or(Offset::MAX)
}

/// What gotmpl calls the parts of an action, and what a chart's author does.
const GOTMPL_WORDS: &[(&str, &str)] = &[
    ("expected RightParen", "expected `)`"),
    ("expected RightDelim", "expected `}}`"),
    ("got RightDelim (\"\")", "got `}}`"),
    ("got RightTrimDelim (\"\")", "got `-}}`"),
];

fn refused_by_parser(source: &Source, error: TemplateError) -> Refused {
    let (line, column, what) = match error {
        TemplateError::Parse { line, col, message, .. } | TemplateError::Lex { line, col, message, .. } => {
            (line, col, message)
        }
        other => (0, 0, other.to_string()),
    };
    let what = GOTMPL_WORDS.iter().fold(what, |what, (theirs, ours)| what.replace(theirs, ours));
    let start: usize = source.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let inside: usize = source.text[start..].chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    Refused { at: offset(start + inside), fault: Fault::Syntax(what) }
}

fn refused(pos: Pos, what: impl Into<String>) -> Refused {
    Refused { at: offset(pos.offset), fault: Fault::Syntax(what.into()) }
}

/// The variables that are known at one point of a template, by slot.
struct Scope {
    names: Vec<Name>,
}

impl Scope {
    fn body(&mut self, list: &ListNode) -> Result<Body, Refused> {
        let mut steps = Vec::with_capacity(list.nodes.len());
        for node in &list.nodes {
            self.step(node, &mut steps)?;
        }
        Ok(steps.into())
    }

    fn step(&mut self, node: &Node, steps: &mut Vec<Step>) -> Result<(), Refused> {
        match node {
            Node::List(list) => {
                for node in &list.nodes {
                    self.step(node, steps)?;
                }
            }
            Node::Text(text) => steps.push(Step::Text(Arc::clone(&text.text))),
            Node::Action(action) => steps.extend(self.action(&action.pipe)?),
            Node::If(branch) => steps.push(Step::If(Box::new(self.branch(branch)?))),
            Node::With(branch) => steps.push(Step::With(Box::new(self.branch(branch)?))),
            Node::Range(range) => steps.push(Step::Range(Box::new(self.range(range)?))),
            Node::Template(call) => {
                let data = call.pipe.as_ref().map(|pipe| self.pipe(pipe)).transpose()?;
                let name = Text::from(call.name.as_str());
                steps.push(Step::Template { name, data, at: offset(call.pos.offset) });
            }
            // Collected by the parser beside the tree.
            Node::Define(_) => {}
            Node::Break(_) => steps.push(Step::Break),
            Node::Continue(_) => steps.push(Step::Continue),
        }
        Ok(())
    }

    /// None for the action that a comment became.
    fn action(&mut self, pipe: &PipeNode) -> Result<Option<Step>, Refused> {
        if let [CommandNode { args, .. }] = pipe.commands.as_slice()
            && let [Parsed::String(_, text)] = args.as_slice()
            && text.is_empty()
            && pipe.decl.is_empty()
        {
            return Ok(None);
        }
        let compiled = self.pipe(pipe)?;
        Ok(Some(match pipe.decl.as_slice() {
            [] => Step::Print(compiled),
            [name] if pipe.is_assign => Step::Assign(self.slot(name, pipe.pos)?, compiled),
            [name] => {
                self.names.push(name.clone());
                Step::Declare(compiled)
            }
            [_, _, ..] => return Err(refused(pipe.pos, "several variables outside of `range`")),
        }))
    }

    fn branch(&mut self, branch: &BranchNode) -> Result<Branch, Refused> {
        let before = self.names.len();
        let pipe = self.pipe(&branch.pipe)?;
        let binds = match branch.pipe.decl.as_slice() {
            [] => Binds::Nothing,
            [name] if branch.pipe.is_assign => Binds::Slot(self.slot(name, branch.pipe.pos)?),
            [name] => {
                self.names.push(name.clone());
                Binds::New
            }
            [_, _, ..] => return Err(refused(branch.pipe.pos, "several variables outside of `range`")),
        };
        let (then, otherwise) = self.bodies(branch)?;
        self.names.truncate(before);
        Ok(Branch { pipe, binds, then, otherwise })
    }

    fn range(&mut self, range: &BranchNode) -> Result<Range, Refused> {
        let before = self.names.len();
        let pipe = self.pipe(&range.pipe)?;
        let at = range.pipe.pos;
        let variables = match (range.pipe.decl.as_slice(), range.pipe.is_assign) {
            ([], _) => Variables::None,
            ([element], true) => Variables::Element(self.slot(element, at)?),
            ([index, element], true) => Variables::Both(self.slot(index, at)?, self.slot(element, at)?),
            ([element], false) => {
                self.names.push(element.clone());
                Variables::NewElement
            }
            ([index, element], false) => {
                self.names.push(index.clone());
                self.names.push(element.clone());
                Variables::NewBoth
            }
            ([_, _, _, ..], _) => return Err(refused(at, "more than two variables in `range`")),
        };
        let (body, otherwise) = self.bodies(range)?;
        self.names.truncate(before);
        Ok(Range { pipe, variables, body, otherwise })
    }

    fn bodies(&mut self, branch: &BranchNode) -> Result<(Body, Body), Refused> {
        let inside = self.names.len();
        let body = self.body(&branch.body)?;
        self.names.truncate(inside);
        let otherwise = match &branch.else_body {
            Some(list) => self.body(list)?,
            None => Body::default(),
        };
        self.names.truncate(inside);
        Ok((body, otherwise))
    }

    fn slot(&self, name: &Name, pos: Pos) -> Result<usize, Refused> {
        self.names
            .iter()
            .rposition(|known| known == name)
            .ok_or_else(|| refused(pos, format!("undefined variable `{name}`")))
    }

    fn pipe(&self, pipe: &PipeNode) -> Result<Pipe, Refused> {
        let mut commands = Vec::with_capacity(pipe.commands.len());
        for (at, command) in pipe.commands.iter().enumerate() {
            commands.push(self.command(command, at > 0)?);
        }
        Ok(Pipe(commands.into()))
    }

    fn command(&self, command: &CommandNode, is_fed: bool) -> Result<Command, Refused> {
        let Some((head, args)) = command.args.split_first() else {
            return Err(refused(command.pos, "an empty command"));
        };
        let is_constant = matches!(
            head,
            Parsed::Dot(_) | Parsed::String(..) | Parsed::Number(..) | Parsed::Bool(..) | Parsed::Pipe(..)
        );
        if is_fed && is_constant {
            return Err(refused(command.pos, "something that is no function stands behind a `|`"));
        }
        if is_constant && !args.is_empty() {
            return Err(refused(command.pos, "arguments behind something that is no function"));
        }
        if matches!(head, Parsed::Nil(_)) {
            return Err(refused(command.pos, "nil is not a command"));
        }
        let args = args.iter().map(|arg| self.expr(arg)).collect::<Result<_, _>>()?;
        Ok(Command { at: offset(head.pos().offset), head: self.expr(head)?, args })
    }

    fn expr(&self, expr: &Parsed) -> Result<Expr, Refused> {
        let fields = |names: &[Name]| names.into();
        Ok(match expr {
            Parsed::Dot(_) => Expr::Dot,
            Parsed::Field(pos, names) => Expr::Field(offset(pos.offset), fields(names)),
            Parsed::Variable(pos, name, names) => {
                Expr::Variable(offset(pos.offset), self.slot(name, *pos)?, fields(names))
            }
            Parsed::Identifier(pos, name) => {
                let function =
                    function::lookup(name).map_err(|fault| Refused { at: offset(pos.offset), fault })?;
                Expr::Function(offset(pos.offset), function)
            }
            Parsed::String(_, text) => Expr::Literal(Literal::Text(Arc::clone(text))),
            Parsed::Number(pos, number) => Expr::Literal(match number {
                Number::Int(number) => Literal::Int(*number),
                Number::Float(number) => Literal::Float(*number),
                Number::Uint(number) => {
                    return Err(refused(*pos, format!("{number} overflows a whole number")));
                }
            }),
            Parsed::Bool(_, truth) => Expr::Literal(Literal::Bool(*truth)),
            Parsed::Nil(_) => Expr::Nil,
            Parsed::Pipe(_, pipe) => {
                if !pipe.decl.is_empty() {
                    return Err(refused(pipe.pos, "a variable is declared in parentheses"));
                }
                Expr::Pipe(self.pipe(pipe)?)
            }
            Parsed::Chain(pos, inner, names) => {
                if matches!(**inner, Parsed::Nil(_)) {
                    return Err(refused(*pos, "a field of nil"));
                }
                Expr::Chain(offset(pos.offset), Box::new(self.expr(inner)?), fields(names))
            }
        })
    }
}
