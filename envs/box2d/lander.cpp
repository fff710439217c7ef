// The lunar lander's bodies in a Box2D world, for lander_world.rs.
//
// Numbers are computed in double precision and rounded once when passed to Box2D, as in Python. The order of creation
// affects results, because Box2D's solver iterates over bodies, contacts and joints in that order.

#include <Box2D/Box2D.h>

#include <cstddef>
#include <vector>

#include "flight.h"

namespace {

const double SCALE = 30; // pixels per meter
const double WIDTH = 600 / SCALE;
const double HEIGHT = 400 / SCALE;
const double LEG_AWAY = 20 / SCALE;
const double LEG_DOWN = 18 / SCALE;

const uint16 GROUND = 0x0001; // the default category of a body
const uint16 LANDER = 0x0010;
const uint16 LEG = 0x0020;

b2Vec2 vector(double x, double y) { return b2Vec2(float32(x), float32(y)); }

class Moon final : public b2ContactListener {
public:
    b2World world;
    b2Body* lander;
    b2Body* legs[2];
    bool touches[2] = {false, false};
    bool crashed = false;
    Flight flight;

    Moon(const float (*corners)[2], size_t count, double gravity, double force_x, double force_y)
        : world(vector(0, gravity))
    {
        world.SetContactListener(this);
        make_ground(corners, count);
        lander = make_lander();
        lander->ApplyForceToCenter(vector(force_x, force_y), true);
        legs[0] = make_leg(-1, 0.9 - 0.5, 0.9);
        legs[1] = make_leg(+1, -0.9, -0.9 + 0.5);
        flight.take(&world, {lander, legs[1], legs[0]}, {hinge(legs[1]), hinge(legs[0])}); // in reverse order of creation
    }

    void BeginContact(b2Contact* contact) override
    {
        crashed = crashed || is_between(contact, lander);
        for (int i = 0; i < 2; i++) {
            touches[i] = touches[i] || is_between(contact, legs[i]);
        }
    }

    // A leg that leaves one edge counts as lifted even if it still touches the next, as in Gymnasium.
    void EndContact(b2Contact* contact) override
    {
        for (int i = 0; i < 2; i++) {
            touches[i] = touches[i] && !is_between(contact, legs[i]);
        }
    }

private:
    static b2RevoluteJoint* hinge(b2Body* leg) { return static_cast<b2RevoluteJoint*>(leg->GetJointList()->joint); }

    static bool is_between(b2Contact* contact, b2Body* body)
    {
        return contact->GetFixtureA()->GetBody() == body || contact->GetFixtureB()->GetBody() == body;
    }

    void make_ground(const float (*corners)[2], size_t count)
    {
        b2BodyDef body;
        b2Body* ground = world.CreateBody(&body);
        b2EdgeShape edge;
        b2FixtureDef fixture;
        fixture.shape = &edge;
        edge.Set(vector(0, 0), vector(WIDTH, 0));
        ground->CreateFixture(&fixture);
        fixture.friction = 0.1f;
        for (size_t i = 1; i < count; i++) {
            edge.Set(b2Vec2(corners[i - 1][0], corners[i - 1][1]), b2Vec2(corners[i][0], corners[i][1]));
            ground->CreateFixture(&fixture);
        }
    }

    b2Body* make_body(double x, double angle, const b2PolygonShape& shape, b2FixtureDef& fixture)
    {
        b2BodyDef body;
        body.type = b2_dynamicBody;
        body.position = vector(x, HEIGHT);
        body.angle = float32(angle);
        fixture.shape = &shape;
        fixture.filter.maskBits = GROUND;
        b2Body* made = world.CreateBody(&body);
        made->CreateFixture(&fixture);
        return made;
    }

    b2Body* make_lander()
    {
        const b2Vec2 corners[] = {
            vector(-14 / SCALE, 17 / SCALE),  vector(-17 / SCALE, 0), vector(-17 / SCALE, -10 / SCALE),
            vector(17 / SCALE, -10 / SCALE), vector(17 / SCALE, 0),  vector(14 / SCALE, 17 / SCALE),
        };
        b2PolygonShape shape;
        shape.Set(corners, 6);
        b2FixtureDef fixture;
        fixture.density = 5;
        fixture.friction = 0.1f;
        fixture.filter.categoryBits = LANDER;
        return make_body(WIDTH / 2, 0, shape, fixture);
    }

    // `side` is -1 or +1; weak motors act as springs between the angle limits.
    b2Body* make_leg(int side, double lower, double upper)
    {
        b2PolygonShape shape;
        shape.SetAsBox(float32(2 / SCALE), float32(8 / SCALE));
        b2FixtureDef fixture;
        fixture.density = 1;
        fixture.filter.categoryBits = LEG;
        b2Body* leg = make_body(WIDTH / 2 - side * LEG_AWAY, side * 0.05, shape, fixture);

        b2RevoluteJointDef joint;
        joint.bodyA = lander;
        joint.bodyB = leg;
        joint.localAnchorA = vector(0, 0);
        joint.localAnchorB = vector(side * LEG_AWAY, LEG_DOWN);
        joint.referenceAngle = leg->GetAngle() - lander->GetAngle();
        joint.enableLimit = true;
        joint.lowerAngle = float32(lower);
        joint.upperAngle = float32(upper);
        joint.enableMotor = true;
        joint.maxMotorTorque = 40;
        joint.motorSpeed = float32(0.3 * side);
        world.CreateJoint(&joint);
        return leg;
    }
};

} // namespace

// The interface, declared in lander_world.rs with these names.
extern "C" {

struct Pose {
    float x, y, angle;
};

struct State {
    Pose lander;
    float velocity[2];
    float angular_velocity;
    Pose legs[2];
    bool touches[2];
    bool crashed;
    bool awake;
};

Moon* moon_new(const float (*corners)[2], size_t count, double gravity, double force_x, double force_y)
{
    return new Moon(corners, count, gravity, force_x, force_y);
}

void moon_delete(Moon* moon) { delete moon; }

void moon_blow(Moon* moon, double force, double torque)
{
    moon->lander->ApplyForceToCenter(vector(force, 0), true);
    moon->lander->ApplyTorque(float32(torque), true);
}

void moon_thrust(Moon* moon, double impulse_x, double impulse_y, double x, double y)
{
    moon->lander->ApplyLinearImpulse(vector(impulse_x, impulse_y), vector(x, y), true);
}

// Steps several worlds, which must be distinct.
void moons_step(Moon* const* moons, size_t count)
{
    std::vector<Moon*> flying;
    std::vector<Hung<float>> hung;
    for (size_t i = 0; i < count; i++) {
        if (moons[i]->flight.begin()) {
            flying.push_back(moons[i]);
            hung.push_back(moons[i]->flight.unsolved());
        }
    }
    solve(hung.data(), hung.size(), VELOCITY_ITERATIONS);
    for (size_t i = 0; i < flying.size(); i++) {
        flying[i]->flight.finish(hung[i]);
    }
}

State moon_state(const Moon* moon)
{
    const auto pose = [](const b2Body* body) {
        return Pose{body->GetPosition().x, body->GetPosition().y, body->GetAngle()};
    };
    const b2Body* lander = moon->lander;
    const b2Vec2 velocity = lander->GetLinearVelocity();
    return State{
        pose(lander),
        {velocity.x, velocity.y},
        lander->GetAngularVelocity(),
        {pose(moon->legs[0]), pose(moon->legs[1])},
        {moon->touches[0], moon->touches[1]},
        moon->crashed,
        lander->IsAwake(),
    };
}

} // extern "C"
