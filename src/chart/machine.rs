//! Runs templates: steps and data in, text out.
//!
//! One machine serves one render. Variables live on one stack, each template's
//! from its own base; depth, work and bytes are counted, and every error gets
//! the place at which it arose and the calls that led there.

use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use memchr::memmem;

use super::error::{Call, Fault, Limit, Place};
use super::function::{Function, Run};
use super::meter::{MOST_DEPTH, Meter};
use super::template::{
    Binds, Body, Branch, Command, Compiled, Expr, Literal, Name, Offset, Pipe, Range, Source, Step, Template,
    Variables, compile,
};
use super::value::{Text, Value, display_in_action};

/// An error on its way out.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    pub(super) place: Option<Place>,
    /// Innermost first.
    pub(super) calls: Vec<Call>,
}

type Outcome<T> = Result<T, Box<Trouble>>;

/// Where the templates of a chart are found by name.
pub(super) type Templates = HashMap<Text, Arc<Template>>;

/// Runs templates.
pub(super) struct Machine<'c> {
    pub(super) meter: Meter,
    templates: &'c Templates,
    /// What `tpl` texts define, innermost last.
    overlays: Vec<Rc<Compiled>>,
    /// `tpl` texts that were compiled in this render.
    compiled: HashMap<Text, Rc<Compiled>>,
    out: String,
    stack: Vec<Value>,
    base: usize,
    depth: u32,
}

/// Whether a body ran to its end.
enum Flow {
    On,
    Break,
    Continue,
}

/// Whether a branch's value becomes dot inside.
#[derive(Clone, Copy)]
enum Dot {
    /// `if`.
    Stays,
    /// `with`.
    Moves,
}

/// What a step sees.
#[derive(Clone, Copy)]
struct Scene<'s> {
    source: &'s Source,
    dot: &'s Value,
}

impl<'c> Machine<'c> {
    /// A machine whose work counts on top of what the meter has counted.
    pub(super) fn new(templates: &'c Templates, meter: Meter) -> Self {
        Self {
            meter,
            templates,
            overlays: Vec::new(),
            compiled: HashMap::new(),
            out: String::new(),
            stack: Vec::new(),
            base: 0,
            depth: 0,
        }
    }

    /// Runs one template of the chart and takes what it wrote.
    pub(super) fn render(&mut self, template: &Template, data: &Value) -> Outcome<String> {
        self.run(&template.body, &template.source, data)?;
        Ok(std::mem::take(&mut self.out))
    }

    /// Runs a body with variables of its own.
    fn run(&mut self, body: &Body, source: &Source, data: &Value) -> Outcome<()> {
        let (base, height) = (self.base, self.stack.len());
        self.base = height;
        self.stack.push(data.clone());
        let ran = self.body(body, Scene { source, dot: data });
        self.stack.truncate(height);
        self.base = base;
        ran.map(|_| ())
    }

    fn deeper(&mut self, scene: Scene<'_>, at: Offset) -> Outcome<()> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(placed(Fault::Limit(Limit::Depth(MOST_DEPTH)), scene.source, at));
        }
        Ok(())
    }

    fn body(&mut self, body: &[Step], scene: Scene<'_>) -> Outcome<Flow> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(unplaced(Fault::Limit(Limit::Depth(MOST_DEPTH))));
        }
        for step in body {
            self.meter.steps(1).map_err(unplaced)?;
            match self.step(step, scene)? {
                Flow::On => {}
                flow @ (Flow::Break | Flow::Continue) => {
                    self.depth -= 1;
                    return Ok(flow);
                }
            }
        }
        self.depth -= 1;
        Ok(Flow::On)
    }

    fn step(&mut self, step: &Step, scene: Scene<'_>) -> Outcome<Flow> {
        match step {
            Step::Text(text) => {
                self.meter.text(text.len()).map_err(unplaced)?;
                self.out.push_str(text);
            }
            Step::Print(pipe) => {
                let value = self.pipe(pipe, scene)?;
                display_in_action(&value, &self.meter, &mut self.out)
                    .map_err(|fault| placed(fault, scene.source, pipe.at()))?;
            }
            Step::Declare(pipe) => {
                let value = self.pipe(pipe, scene)?;
                self.stack.push(value);
            }
            Step::Assign(slot, pipe) => {
                let value = self.pipe(pipe, scene)?;
                self.set(*slot, value);
            }
            Step::If(branch) => return self.branch(branch, scene, Dot::Stays),
            Step::With(branch) => return self.branch(branch, scene, Dot::Moves),
            Step::Range(range) => return self.range(range, scene),
            Step::Template { name, data, at } => {
                let data = match data {
                    Some(pipe) => self.pipe(pipe, scene)?,
                    None => Value::Nothing,
                };
                self.call_template(name, &data, scene, *at)?;
            }
            Step::Break => return Ok(Flow::Break),
            Step::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn set(&mut self, slot: usize, value: Value) {
        let at = self.base + slot;
        self.stack[at] = value;
    }

    /// `if` and `with`.
    fn branch(&mut self, branch: &Branch, scene: Scene<'_>, dot: Dot) -> Outcome<Flow> {
        let height = self.stack.len();
        let value = self.pipe(&branch.pipe, scene)?;
        match branch.binds {
            Binds::Nothing => {}
            Binds::New => self.stack.push(value.clone()),
            Binds::Slot(slot) => self.set(slot, value.clone()),
        }
        let flow = if !value.truth() {
            self.body(&branch.otherwise, scene)
        } else {
            match dot {
                Dot::Moves => self.body(&branch.then, Scene { dot: &value, ..scene }),
                Dot::Stays => self.body(&branch.then, scene),
            }
        };
        self.stack.truncate(height);
        flow
    }

    fn range(&mut self, range: &Range, scene: Scene<'_>) -> Outcome<Flow> {
        let height = self.stack.len();
        let over = self.pipe(&range.pipe, scene)?;
        let flow = self.iterate(range, &over, scene);
        self.stack.truncate(height);
        flow
    }

    fn iterate(&mut self, range: &Range, over: &Value, scene: Scene<'_>) -> Outcome<Flow> {
        let height = self.stack.len();
        match range.variables {
            Variables::None => {}
            // Until there is an item they hold what is gone through.
            Variables::NewElement => self.stack.push(over.clone()),
            Variables::NewBoth => self.stack.extend([over.clone(), over.clone()]),
            Variables::Element(slot) => self.set(slot, over.clone()),
            Variables::Both(first, second) => {
                self.set(first, over.clone());
                self.set(second, over.clone());
            }
        }
        let bind = |machine: &mut Self, index: Value, element: &Value| {
            machine.meter.steps(1).map_err(unplaced)?;
            match range.variables {
                Variables::None => {}
                Variables::NewElement => machine.stack[height] = element.clone(),
                Variables::NewBoth => {
                    machine.stack[height] = index;
                    machine.stack[height + 1] = element.clone();
                }
                Variables::Element(slot) => machine.set(slot, element.clone()),
                Variables::Both(first, second) => {
                    machine.set(first, index);
                    machine.set(second, element.clone());
                }
            }
            let top = machine.stack.len();
            let flow = machine.body(&range.body, Scene { dot: element, ..scene })?;
            machine.stack.truncate(top);
            Ok::<_, Box<Trouble>>(flow)
        };
        let fault = |what: String| placed(Fault::Template(what), scene.source, range.pipe.at());
        let mut any = false;
        if let Some(list) = over.as_list() {
            for (at, item) in list.iter().enumerate() {
                any = true;
                if let Flow::Break = bind(self, index(at), item)? {
                    break;
                }
            }
        } else {
            match over {
                Value::Nothing | Value::Nil => {}
                Value::Map(map) => {
                    // The body may change the map: Go, too, takes the entries first.
                    let entries: Vec<(Text, Value)> =
                        map.borrow().iter().map(|(key, value)| (Arc::clone(key), value.clone())).collect();
                    self.meter.steps(entries.len() as u64).map_err(unplaced)?;
                    for (key, value) in entries {
                        any = true;
                        if let Flow::Break = bind(self, Value::Text(key), &value)? {
                            break;
                        }
                    }
                }
                Value::Host(host) if host.files().is_some() => {
                    for (path, bytes) in host.files().into_iter().flatten() {
                        any = true;
                        let content = super::value::bytes(bytes);
                        if let Flow::Break = bind(self, Value::Text(Arc::clone(path)), &content)? {
                            break;
                        }
                    }
                }
                Value::Int(count) | Value::Int64(count) => {
                    if matches!(range.variables, Variables::NewBoth | Variables::Both(..)) {
                        return Err(fault(format!(
                            "can't use {count} to iterate over more than one variable"
                        )));
                    }
                    for at in 0..(*count).max(0) {
                        any = true;
                        if let Flow::Break = bind(self, Value::Nothing, &Value::Int(at))? {
                            break;
                        }
                    }
                }
                Value::Bool(_) | Value::Float(_) | Value::Text(_) | Value::List(_) | Value::Host(_) => {
                    return Err(fault(format!("range can't iterate over a {}", over.type_name())));
                }
            }
        }
        if any { Ok(Flow::On) } else { self.body(&range.otherwise, scene) }
    }

    fn pipe(&mut self, pipe: &Pipe, scene: Scene<'_>) -> Outcome<Value> {
        let mut value = None;
        for command in &pipe.0 {
            value = Some(match self.command(command, value, scene)? {
                // A nil that leaves a command is no longer a nil *of* something.
                Value::Nil => Value::Nothing,
                other => other,
            });
        }
        Ok(value.unwrap_or(Value::Nothing))
    }

    fn command(&mut self, command: &Command, fed: Option<Value>, scene: Scene<'_>) -> Outcome<Value> {
        self.meter.steps(1).map_err(unplaced)?;
        match &command.head {
            Expr::Function(at, function) => self.call(function, &command.args, fed, scene, *at),
            Expr::Field(at, names) => {
                let fed = self.method_args(&command.args, fed, scene)?;
                fields(scene.dot, names, fed.as_deref()).map_err(|fault| placed(fault, scene.source, *at))
            }
            Expr::Variable(at, slot, names) => {
                let fed = self.method_args(&command.args, fed, scene)?;
                fields(&self.stack[self.base + slot], names, fed.as_deref())
                    .map_err(|fault| placed(fault, scene.source, *at))
            }
            Expr::Chain(at, inner, names) => {
                let fed = self.method_args(&command.args, fed, scene)?;
                let inner = self.expr(inner, scene)?;
                fields(&inner, names, fed.as_deref()).map_err(|fault| placed(fault, scene.source, *at))
            }
            Expr::Dot | Expr::Literal(_) | Expr::Nil | Expr::Pipe(_) => self.expr(&command.head, scene),
        }
    }

    /// The arguments of a method call; none where there are none at all.
    fn method_args(
        &mut self,
        args: &[Expr],
        fed: Option<Value>,
        scene: Scene<'_>,
    ) -> Outcome<Option<Vec<Value>>> {
        if args.is_empty() && fed.is_none() {
            return Ok(None);
        }
        let mut values = Vec::with_capacity(args.len() + 1);
        for arg in args {
            values.push(self.expr(arg, scene)?);
        }
        values.extend(fed);
        Ok(Some(values))
    }

    fn expr(&mut self, expr: &Expr, scene: Scene<'_>) -> Outcome<Value> {
        match expr {
            Expr::Dot => Ok(scene.dot.clone()),
            Expr::Field(at, names) => {
                fields(scene.dot, names, None).map_err(|fault| placed(fault, scene.source, *at))
            }
            Expr::Variable(at, slot, names) => fields(&self.stack[self.base + slot], names, None)
                .map_err(|fault| placed(fault, scene.source, *at)),
            Expr::Literal(literal) => Ok(match literal {
                Literal::Bool(truth) => Value::Bool(*truth),
                Literal::Int(number) => Value::Int(*number),
                Literal::Float(number) => Value::Float(*number),
                Literal::Text(text) => Value::Text(Arc::clone(text)),
            }),
            Expr::Nil => Ok(Value::Nothing),
            Expr::Pipe(pipe) => {
                self.deeper(scene, pipe.at())?;
                let value = self.pipe(pipe, scene)?;
                self.depth -= 1;
                Ok(value)
            }
            Expr::Chain(at, inner, names) => {
                let inner = self.expr(inner, scene)?;
                fields(&inner, names, None).map_err(|fault| placed(fault, scene.source, *at))
            }
            Expr::Function(at, function) => self.call(function, &[], None, scene, *at),
        }
    }

    fn call(
        &mut self,
        function: &'static Function,
        args: &[Expr],
        fed: Option<Value>,
        scene: Scene<'_>,
        at: Offset,
    ) -> Outcome<Value> {
        let count = args.len() + usize::from(fed.is_some());
        if count < function.least || count > function.most {
            return Err(placed(function.wrong_count(count), scene.source, at));
        }
        match function.run {
            Run::And => return self.first_with(false, args, fed, scene),
            Run::Or => return self.first_with(true, args, fed, scene),
            Run::Plain(_) | Run::Include | Run::Tpl => {}
        }
        let mut values = Vec::with_capacity(count);
        for arg in args {
            values.push(self.expr(arg, scene)?);
        }
        values.extend(fed);
        let place = |fault: Fault| match fault {
            Fault::Template(what) => {
                placed(Fault::Template(format!("{}: {what}", function.name)), scene.source, at)
            }
            fault => placed(fault, scene.source, at),
        };
        match function.run {
            Run::Plain(run) => run(&self.meter, &values).map_err(place),
            Run::Include => {
                let name = super::function::text_arg(&values, 0).map_err(place)?;
                let outer = std::mem::take(&mut self.out);
                let ran = self.call_template(&name, &values[1], scene, at);
                let text = std::mem::replace(&mut self.out, outer);
                ran.map(|()| Value::text(text))
            }
            Run::Tpl => {
                let text = super::function::text_arg(&values, 0).map_err(place)?;
                self.call_tpl(&text, &values[1], scene, at)
            }
            Run::And | Run::Or => unreachable!("both were left for `first_with` above"),
        }
    }

    /// `and` and `or`: the first argument with that truth, else the last; the rest is not evaluated.
    fn first_with(
        &mut self,
        truth: bool,
        args: &[Expr],
        fed: Option<Value>,
        scene: Scene<'_>,
    ) -> Outcome<Value> {
        let mut last = Value::Nothing;
        for arg in args {
            last = self.expr(arg, scene)?;
            if last.truth() == truth {
                return Ok(last);
            }
        }
        Ok(fed.unwrap_or(last))
    }

    fn call_template(&mut self, name: &Text, data: &Value, scene: Scene<'_>, at: Offset) -> Outcome<()> {
        self.deeper(scene, at)?;
        let overlaid = self.overlays.iter().rev().find_map(|compiled| {
            let index = compiled.defined.iter().rposition(|template| template.name == *name)?;
            Some((Rc::clone(compiled), index))
        });
        let ran = if let Some((compiled, index)) = overlaid {
            let template = &compiled.defined[index];
            self.run(&template.body, &template.source, data)
        } else if let Some(template) = self.templates.get(name) {
            self.run(&template.body, &template.source, data)
        } else {
            let what = format!("no template is called {name:?}");
            return Err(placed(Fault::Template(what), scene.source, at));
        };
        self.depth -= 1;
        ran.map_err(|trouble| called(trouble, name, scene.source, at))
    }

    fn call_tpl(&mut self, text: &Text, data: &Value, scene: Scene<'_>, at: Offset) -> Outcome<Value> {
        self.deeper(scene, at)?;
        let compiled = self.compiled_tpl(text, scene, at)?;
        let outer = std::mem::take(&mut self.out);
        self.overlays.push(Rc::clone(&compiled));
        let ran = self.run(&compiled.main.body, &compiled.main.source, data);
        self.overlays.pop();
        let text = std::mem::replace(&mut self.out, outer);
        self.depth -= 1;
        ran.map_err(|trouble| called(trouble, &compiled.main.name, scene.source, at))?;
        Ok(Value::text(without_no_value(text)))
    }

    fn compiled_tpl(&mut self, text: &Text, scene: Scene<'_>, at: Offset) -> Outcome<Rc<Compiled>> {
        if let Some(compiled) = self.compiled.get(text) {
            return Ok(Rc::clone(compiled));
        }
        self.meter.steps(text.len() as u64).map_err(unplaced)?;
        let name = Text::from("a text given to tpl");
        let source = Arc::new(Source { file: Arc::clone(&name), text: Arc::clone(text) });
        let compiled = compile(Arc::clone(&name), Arc::clone(&source))
            .map_err(|refused| called(placed(refused.fault, &source, refused.at), &name, scene.source, at))?;
        let compiled = Rc::new(compiled);
        self.compiled.insert(Arc::clone(text), Rc::clone(&compiled));
        Ok(compiled)
    }
}

impl Pipe {
    /// Where it starts.
    fn at(&self) -> Offset {
        self.0.first().map_or(0, |command| command.at)
    }
}

fn index(at: usize) -> Value {
    Value::Int(i64::try_from(at).unwrap_or(i64::MAX))
}

/// Walks fields from a receiver; `args` are for a method at the end.
fn fields(receiver: &Value, names: &[Name], args: Option<&[Value]>) -> Result<Value, Fault> {
    let Some((last, before)) = names.split_last() else {
        return match args {
            None => Ok(receiver.clone()),
            Some(_) => Err(Fault::Template("arguments behind something that is no function".to_owned())),
        };
    };
    let Some((first, between)) = before.split_first() else { return field(receiver, last, args) };
    let mut value = field(receiver, first, None)?;
    for name in between {
        value = field(&value, name, None)?;
    }
    field(&value, last, args)
}

fn field(receiver: &Value, name: &str, args: Option<&[Value]>) -> Result<Value, Fault> {
    match receiver {
        Value::Nothing => Ok(Value::Nothing),
        Value::Nil => Err(Fault::Template(format!("`.{name}` of something that is not there (nil)"))),
        Value::Map(_) if args.is_some() => {
            Err(Fault::Template(format!("`.{name}` is not a method but has arguments")))
        }
        Value::Map(map) => Ok(map.get(name).unwrap_or_else(|| map.missing())),
        Value::Host(host) => host.field(name, args),
        Value::Bool(_)
        | Value::Int(_)
        | Value::Int64(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::List(_) => {
            Err(Fault::Template(format!("can't evaluate field {name} in type {}", receiver.type_name())))
        }
    }
}

/// A text as helm leaves it: what Go prints for nothing is taken out again.
pub(super) fn without_no_value(text: String) -> String {
    const NO_VALUE: &str = "<no value>";
    match memmem::find(text.as_bytes(), NO_VALUE.as_bytes()) {
        None => text,
        Some(_) => text.replace(NO_VALUE, ""),
    }
}

fn unplaced(fault: Fault) -> Box<Trouble> {
    Box::new(Trouble { fault, place: None, calls: Vec::new() })
}

/// A fault at a byte of a source.
pub(super) fn placed(fault: Fault, source: &Source, at: Offset) -> Box<Trouble> {
    Box::new(Trouble { fault, place: Some(place(source, at)), calls: Vec::new() })
}

pub(super) fn place(source: &Source, at: Offset) -> Place {
    let (line, column) = source.line_and_column(at);
    Place { file: source.file.to_string(), line, column }
}

/// Adds a call to an error that comes out of it.
fn called(mut trouble: Box<Trouble>, template: &Text, source: &Source, at: Offset) -> Box<Trouble> {
    let from = place(source, at);
    // A bound that was met without a place is met where the innermost call stands.
    if trouble.place.is_none() {
        trouble.place = Some(from.clone());
    }
    trouble.calls.push(Call { template: template.to_string(), from });
    trouble
}
